"""Coefficients: fields, keywords, overrides in every thread and task, bound copies, dumps."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.extractors import DocumentContextExtractor, KeywordExtractor
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.llms.loading import load_llm
from llama_index.core.schema import TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.workflow import WorkflowRuntimeError

from eft_integrations import Engine, InvalidRequest, Mixture, UnknownOption
from eft_integrations.chat import render
from eft_integrations.llama_index import EFTLLM
from tests.mixtures import MIXTURES

ASK = [ChatMessage(role="user", content="Hello")]


def inside(llm: EFTLLM, alpha: float, run: Callable[[EFTLLM], Any]) -> Any:
    with llm.override(alpha=alpha):
        return run(llm)


PATHS: dict[str, Callable[[EFTLLM, float], Any]] = {
    "field": lambda m, a: EFTLLM(engine=m.engine, max_tokens=6, alpha=a).chat(ASK),
    "keyword": lambda m, a: m.chat(ASK, alpha=a),
    "bind": lambda m, a: m.bind(alpha=a).chat(ASK),
    "with_alpha": lambda m, a: m.with_alpha(a).chat(ASK),
    "override": lambda m, a: inside(m, a, lambda m: m.chat(ASK)),
    "override of a copy": lambda m, a: inside(m, a, lambda m: copy.deepcopy(m).chat(ASK)),
    "override over field": lambda m, a: inside(m.with_alpha(9.0), a, lambda m: m.chat(ASK)),
    "inner override": lambda m, a: inside(m, 9.0, lambda m: inside(m, a, lambda m: m.chat(ASK))),
    "bind over override": lambda m, a: inside(m.bind(alpha=a), 9.0, lambda m: m.chat(ASK)),
    "keyword over bind": lambda m, a: m.bind(alpha=9.0).chat(ASK, alpha=a),
    "alpha over bound beta": lambda m, a: m.bind(beta=9.0).chat(ASK, alpha=a),
    "async": lambda m, a: inside(m, a, lambda m: asyncio.run(m.achat(ASK))),
    "stream that is read later": lambda m, a: list(inside(m, a, lambda m: m.stream_chat(ASK)))[-1],
    "text": lambda m, a: inside(m, a, lambda m: m.complete("Hello")),
    "pickle": lambda m, a: pickle.loads(pickle.dumps(m.with_alpha(a))).chat(ASK),
    "dump": lambda m, a: load_llm(m.with_alpha(a).to_dict()).chat(ASK),
}


@pytest.mark.parametrize("path", PATHS)
def test_alpha_arrives_by_every_path(llm: EFTLLM, path: str) -> None:
    assert PATHS[path](llm, 0.3).raw["eft"]["alpha"] == 0.3


@pytest.mark.parametrize(("given", "mixture"), MIXTURES)
def test_every_form_of_mixture_is_the_engines_own(
    llm: EFTLLM, engine: Engine, given: dict[str, Any], mixture: Mixture
) -> None:
    prompt = render(engine, [{"role": "user", "content": "Hello"}])
    expected = engine.generate(prompt, mixture=mixture, max_tokens=6).text
    assert llm.with_alpha(7.0).chat(ASK, **given).message.content == expected
    with llm.override(**given):
        assert llm.with_alpha(7.0).chat(ASK).message.content == expected


async def test_overrides_of_tasks_do_not_mix(llm: EFTLLM) -> None:
    async def asked(alpha: float) -> Any:
        with llm.override(alpha=alpha):
            response = await llm.achat(ASK)
        return response.raw["eft"]["alpha"]

    alphas = [0.1, 0.2, 0.3]
    assert await asyncio.gather(*map(asked, alphas)) == alphas
    assert "alpha" not in (await llm.achat(ASK)).raw["eft"]


def test_an_override_ends_with_its_block(llm: EFTLLM) -> None:
    with pytest.raises(RuntimeError, match="ours"), llm.override(alpha=0.3):
        raise RuntimeError("ours")
    assert "alpha" not in llm.chat(ASK).raw["eft"]


def index() -> VectorStoreIndex:
    documents = [Document(text=f"Sentence {number}.") for number in range(2)]
    return VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(embed_dim=4))


@pytest.fixture
def talker(family: Engine) -> EFTLLM:
    """With a context that the prompts of query engines and agents fit into."""
    return EFTLLM(engine=family, max_tokens=4)


def look(where: str) -> str:
    """Look somewhere."""
    return where


async def ran(agent: Any) -> None:
    with suppress(WorkflowRuntimeError):  # after one step it gives up
        await agent.run("Hello", max_iterations=1)


READERS: dict[str, Callable[[EFTLLM], Any]] = {
    "query": lambda m: index().as_query_engine(llm=m).query("What?"),
    "tree of tasks": lambda m: (
        index()
        .as_query_engine(llm=m, response_mode="tree_summarize", use_async=True)
        .query("What?")
    ),
    "aquery": lambda m: asyncio.run(index().as_query_engine(llm=m).aquery("What?")),
    "chat engine": lambda m: SimpleChatEngine.from_defaults(llm=m).chat("Hello"),
    "chat engine's thread": lambda m: "".join(
        SimpleChatEngine.from_defaults(llm=m).stream_chat("Hello").response_gen
    ),
    "condensing chat engine": lambda m: (
        index().as_chat_engine(chat_mode=ChatMode.CONDENSE_PLUS_CONTEXT, llm=m).chat("Hello")
    ),
    "function agent": lambda m: asyncio.run(ran(FunctionAgent(tools=[look], llm=m))),
    "react agent": lambda m: asyncio.run(ran(ReActAgent(tools=[look], llm=m))),
}


@pytest.mark.parametrize("reader", READERS)
def test_an_override_reaches_whatever_asks(talker: EFTLLM, heard: list[Any], reader: str) -> None:
    inside(talker, 0.3, READERS[reader])
    assert set(heard) == {0.3}


@pytest.mark.parametrize("mode", ["compact", "tree_summarize", "simple_summarize"])
def test_an_override_at_query_time_holds_while_the_response_is_read(
    talker: EFTLLM, heard: list[Any], mode: str
) -> None:
    engine = index().as_query_engine(llm=talker, streaming=True, response_mode=mode)
    with talker.override(alpha=0.3):
        response: Any = engine.query("What?")
    assert "".join(response.response_gen)
    assert heard == [0.3]
    response = engine.query("What?")
    list(response.response_gen)
    assert heard == [0.3, None]


async def test_an_override_holds_for_async_responses_too(talker: EFTLLM, heard: list[Any]) -> None:
    engine = index().as_query_engine(llm=talker, streaming=True)
    with talker.override(alpha=0.3):
        response: Any = await engine.aquery("What?")
    assert "".join([text async for text in response.async_response_gen()])
    assert heard == [0.3]


def test_bound_copies_share_the_engine(llm: EFTLLM) -> None:
    assert llm.bind(alpha=0.3, temperature=0.5).engine is llm.engine
    assert llm.bind(alpha=0.3).bind(seed=1).options_in_force()["alpha"] == 0.3


def test_two_alphas_never_share_a_cached_transformation(llm: EFTLLM) -> None:
    nodes = [TextNode(text="x", id_="1")]

    def key(model: EFTLLM) -> str:
        return get_transformation_hash(nodes, KeywordExtractor(llm=model))

    assert key(llm.with_alpha(0.1)) != key(llm.with_alpha(0.2))
    assert key(llm.with_alpha(0.1)) == key(llm.with_alpha(0.1))


def test_what_writes_no_model_out_shares_what_it_cached(llm: EFTLLM) -> None:
    """Core declares their model as any LLM, of which nothing is written: the page says so."""
    nodes, store = [TextNode(text="x", id_="1")], SimpleDocumentStore()
    keys = {
        get_transformation_hash(nodes, DocumentContextExtractor(docstore=store, llm=model))
        for model in (llm.with_alpha(0.1), llm.with_alpha(0.2))
    }
    assert len(keys) == 1


def test_stop_strings_of_all_levels_are_kept(engine: Engine) -> None:
    llm = EFTLLM(engine=engine, max_tokens=30, choice=["one A two B three"], stop=["A"])
    with llm.override(stop="B"):
        assert llm.options_in_force()["stop"] == ["A", "B"]
        assert llm.chat(ASK).message.content == "one "
    assert llm.bind(stop=["B"]).options_in_force()["stop"] == ["A", "B"]
    assert llm.bind(stop=["B"]).chat(ASK).message.content == "one "
    assert llm.chat(ASK, stop=["B"]).message.content == "one "


def test_two_overrides_never_share_a_cached_transformation(llm: EFTLLM) -> None:
    nodes = [TextNode(text="x", id_="1")]
    plain = get_transformation_hash(nodes, KeywordExtractor(llm=llm))
    keys = [plain]
    for options in ({"alpha": 0.1}, {"alpha": 0.2}, {"weights": {"base": 1.0}}):
        with llm.override(**options):
            keys.append(get_transformation_hash(nodes, KeywordExtractor(llm=llm)))
    assert len(set(keys)) == len(keys)
    assert get_transformation_hash(nodes, KeywordExtractor(llm=llm)) == plain


def test_dumps_and_events_tell_the_options_in_force(llm: EFTLLM) -> None:
    model = llm.with_alpha(0.7)
    with model.override(weights={"base": 1.0}, temperature=0.5):
        told, event = model.to_dict(), model.to_payload()
    assert (told["alpha"], told["weights"], told["temperature"]) == (None, {"base": 1.0}, 0.5)
    assert event["weights"] == {"base": 1.0}
    assert "alpha" not in event
    answer: Any = load_llm(told).chat(ASK)
    assert answer.raw["eft"]["weights"] == {"base": 1.0}
    with model.bind(alpha=0.1).override(alpha=0.9):
        assert model.bind(alpha=0.1).to_dict()["alpha"] == 0.1
    assert model.to_dict()["alpha"] == 0.7


def test_unknown_coefficients_are_refused_with_a_suggestion(llm: EFTLLM) -> None:
    with pytest.raises(UnknownOption, match="did you mean 'alpha'"):
        llm.chat(ASK, alhpa=1.0)
    with pytest.raises(UnknownOption, match="did you mean 'alpha'"):
        llm.override(alpa=1.0)
    with pytest.raises(UnknownOption, match="did you mean 'alpha'"):
        EFTLLM(alpa=1.0)  # type: ignore[call-arg] # the typo is the point
    with pytest.raises(InvalidRequest, match="exclude each other"):
        llm.override(alpha=1.0, beta=1.0)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model_name", "give base=, tuned= and reference="),
        ("tokenizer_name", "each member brings its own"),
        ("context_window", "max_context="),
        ("generate_kwargs", "as a setting of its own"),
        ("model_kwargs", "dtype="),
        ("is_chat_model", "leave it out"),
        ("api_base", "'base_url'"),
        ("stopping_ids", "'stop_token_ids'"),
        ("max_new_tokens", "'max_tokens'"),
    ],
)
def test_names_of_other_models_are_told_what_is_theirs_here(name: str, told: str) -> None:
    with pytest.raises(UnknownOption, match=f"unknown setting of EFTLLM '{name}'") as caught:
        EFTLLM(**dict[str, Any]({name: "x"}))
    assert told in str(caught.value)
