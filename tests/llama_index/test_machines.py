"""More of LlamaIndex's machines: what they make of an answer whose words are held."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

import pytest
from llama_index.core import Document, Settings
from llama_index.core.agent.workflow import CodeActAgent, FunctionAgent, ReActAgent
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.extractors import (
    DocumentContextExtractor,
    KeywordExtractor,
    QuestionsAnsweredExtractor,
    SummaryExtractor,
    TitleExtractor,
)
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.postprocessor import LLMRerank
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.workflow import WorkflowRuntimeError
from pydantic import BaseModel

from eft_integrations import Engine
from eft_integrations.llama_index import EFTLLM


class Verdict(BaseModel):
    """A verdict."""

    is_good: bool
    grade: Literal["a", "b"]


class Noted(BaseRetriever):
    """Remembers what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        self.asked.append(query_bundle.query_str)
        return [NodeWithScore(node=TextNode(text=query_bundle.query_str), score=1.0)]


@pytest.fixture
def talker(family: Engine) -> Iterator[EFTLLM]:
    before = Settings.tokenizer
    llm = EFTLLM(engine=family, max_tokens=40)
    llm.configure_settings()
    yield llm
    Settings.tokenizer, Settings._llm, Settings._prompt_helper = before, None, None


def look(where: str) -> str:
    """Look somewhere."""
    return where


def test_four_different_extractors_at_once_are_one_batch(family: Engine, talker: EFTLLM) -> None:
    # an answer of so many letters takes all of its tokens
    llm: Any = talker.bind(max_tokens=16, regex="[a-z ]{400,}", speculation="off")
    extractors = [
        TitleExtractor(llm=llm, show_progress=False),
        KeywordExtractor(llm=llm, show_progress=False),
        SummaryExtractor(llm=llm, show_progress=False),
        QuestionsAnsweredExtractor(llm=llm, questions=1, show_progress=False),
    ]
    nodes: Any = [TextNode(text="The bridge of Tarnholt is painted green.")]

    async def steps(some: Any) -> int:
        before = family.stats().num_steps
        await asyncio.gather(*(extractor.aextract(nodes) for extractor in some))
        return family.stats().num_steps - before

    alone = [asyncio.run(steps([extractor])) for extractor in extractors]
    assert asyncio.run(steps(extractors)) < sum(alone) / 2


@pytest.mark.parametrize("kind", [FunctionAgent, ReActAgent])
@pytest.mark.parametrize("is_streaming", [True, False])
async def test_an_agent_gives_an_object(talker: EFTLLM, kind: Any, is_streaming: bool) -> None:
    agent = kind(llm=talker, output_cls=Verdict, streaming=is_streaming)
    response = await agent.run("Hello", max_iterations=3)
    assert isinstance(response.get_pydantic_model(Verdict), Verdict)


@pytest.mark.parametrize("is_streaming", [True, False])
async def test_a_code_act_agent_runs_what_is_written(talker: EFTLLM, is_streaming: bool) -> None:
    ran: list[str] = []

    def execute(code: str) -> str:
        ran.append(code)
        return "7"

    llm = talker.bind(choice=["I compute.\n<execute>\nx = 3 + 4\n</execute>"])
    agent = CodeActAgent(tools=[look], llm=llm, code_execute_fn=execute, streaming=is_streaming)
    with suppress(WorkflowRuntimeError):  # after two steps it gives up
        await agent.run("Add 3 and 4.", max_iterations=2)
    assert ran == ["x = 3 + 4"]


def test_a_reranker_takes_the_models_order(talker: EFTLLM) -> None:
    llm = talker.bind(choice=["Doc: 2, Relevance: 9\nDoc: 1, Relevance: 3\n"])
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in ("a bridge", "a harbour")]
    ranked = LLMRerank(llm=llm, top_n=2).postprocess_nodes(nodes, query_str="Which?")
    assert [(node.text, node.score) for node in ranked] == [("a harbour", 9.0), ("a bridge", 3.0)]


@pytest.mark.parametrize("is_async", [True, False])
def test_a_fusion_retriever_asks_the_models_queries(talker: EFTLLM, is_async: bool) -> None:
    noted, llm = Noted(), talker.bind(choice=["a harbour\na bridge"])
    fusion = QueryFusionRetriever([noted], llm=llm, num_queries=3, use_async=is_async)
    fusion.retrieve("Which?")
    assert sorted(noted.asked) == ["Which?", "a bridge", "a harbour"]


async def test_chunks_are_told_in_their_documents_which_are_read_once(
    family: Engine, talker: EFTLLM
) -> None:
    store = SimpleDocumentStore()
    document = Document(text=" ".join(f"Sentence {n} of all." for n in range(90)), id_="1")
    store.add_documents([document])
    extractor = DocumentContextExtractor(
        docstore=store, llm=talker, max_output_tokens=4, num_workers=1
    )
    nodes: Any = SentenceSplitter(chunk_size=256, chunk_overlap=0).get_nodes_from_documents(
        [document]
    )
    before = family.stats().members["base"].reused
    told = await extractor.aextract(nodes)
    assert len(nodes) > 2
    assert all(context["context"] for context in told)
    length = len(talker.tokenize(document.text))
    assert family.stats().members["base"].reused - before > (len(nodes) - 1) * length // 2
