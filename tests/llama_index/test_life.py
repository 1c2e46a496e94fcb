"""Cancelling, copying, pickling, dumping, refusing."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.extractors import KeywordExtractor
from llama_index.core.llms.loading import load_llm
from llama_index.core.llms.mock import MockLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import WorkflowTimeoutError
from pydantic import BaseModel, Field

from eft_integrations import ContextOverflow, Engine, EngineClosed, InvalidRequest, UnknownOption
from eft_integrations.chat.options import CHAT_OPTIONS, OPTIONS
from eft_integrations.llama_index import EFTLLM
from eft_integrations.llama_index.asking import TOLERATED
from tests.llama_index.engines import LONG, POLL, running, settled

ASK = [ChatMessage(role="user", content="Hello")]
# No answer of so many letters has fewer tokens.
ENDLESS: dict[str, Any] = {"regex": "[a-z ]{800,}", "max_tokens": 800}
ENDLESS_LEN = 100


class Named(BaseModel):
    """Something with a name."""

    name: str


class Long(BaseModel):
    """A long text."""

    text: str = Field(min_length=200)


# Cancelling.


@pytest.mark.parametrize("kind", ["chat", "complete"])
def test_breaking_a_stream_ends_the_computation(engine: Engine, kind: str) -> None:
    llm = EFTLLM(engine=engine, max_tokens=LONG)
    before = engine.stats().num_tokens
    stream: Any = llm.stream_chat(ASK) if kind == "chat" else llm.stream_complete("Hello")
    next(stream)
    stream.close()
    asyncio.run(settled(engine))
    assert engine.stats().num_tokens - before < LONG


@pytest.mark.parametrize("kind", ["chat", "complete"])
async def test_breaking_an_async_stream_ends_the_computation(engine: Engine, kind: str) -> None:
    llm = EFTLLM(engine=engine, max_tokens=LONG)
    before = engine.stats().num_tokens
    call = llm.astream_chat(ASK) if kind == "chat" else llm.astream_complete("Hello")
    stream: Any = await call
    await anext(stream)
    await stream.aclose()
    del stream
    await settled(engine)
    assert engine.stats().num_tokens - before < LONG


ASYNC: dict[str, Any] = {
    "achat": lambda m: m.achat(ASK),
    "acomplete": lambda m: m.acomplete("Hello"),
    "chat engine": lambda m: SimpleChatEngine.from_defaults(llm=m).achat("Hello"),
}


@pytest.mark.parametrize("way", ASYNC)
@pytest.mark.parametrize("kind", ["task", "wait_for"])
async def test_cancelling_a_call_ends_the_computation(engine: Engine, kind: str, way: str) -> None:
    llm = EFTLLM(engine=engine, max_tokens=LONG)
    before = engine.stats().num_tokens
    task = asyncio.create_task(ASYNC[way](llm))
    await running(engine, task)
    if kind == "task":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(task, timeout=0)
    await settled(engine)
    assert engine.stats().num_tokens - before < LONG


def query_engine(llm: EFTLLM) -> Any:
    index = VectorStoreIndex.from_documents(
        [Document(text="A sentence.")], embed_model=MockEmbedding(embed_dim=4)
    )
    return index.as_query_engine(llm=llm, streaming=True)


def test_leaving_a_query_engines_response_ends_the_computation(family: Engine) -> None:
    llm = EFTLLM(engine=family, **ENDLESS)
    before = family.stats().num_tokens
    response = query_engine(llm).query("What?")
    next(response.response_gen)
    response.response_gen.close()
    asyncio.run(settled(family))
    assert family.stats().num_tokens - before < ENDLESS_LEN


def look(where: str) -> str:
    """Look somewhere."""
    return where


async def test_cancelling_an_agents_run_ends_the_computation(family: Engine) -> None:
    llm = EFTLLM(engine=family, **ENDLESS)
    before = family.stats().num_tokens
    handler = FunctionAgent(llm=llm).run("Hello")
    async with asyncio.timeout(300):
        while family.stats().num_running == 0:
            await asyncio.sleep(POLL)
    await handler.cancel_run()
    with suppress(Exception, asyncio.CancelledError):
        await handler
    await settled(family)
    assert family.stats().num_tokens - before < ENDLESS_LEN


@pytest.mark.parametrize("kind", [FunctionAgent, ReActAgent])
@pytest.mark.parametrize("is_streaming", [True, False])
async def test_the_timeout_of_an_agent_ends_the_computation(
    family: Engine, kind: Any, is_streaming: bool
) -> None:
    before = family.stats().num_tokens
    agent = kind(llm=EFTLLM(engine=family, **ENDLESS), timeout=0.1, streaming=is_streaming)
    with pytest.raises(WorkflowTimeoutError):
        await agent.run("Hello")
    await settled(family)
    assert family.stats().num_tokens - before < ENDLESS_LEN


def test_a_scope_ends_the_thread_of_a_chat_engine(family: Engine) -> None:
    llm = EFTLLM(engine=family, **ENDLESS)
    before = family.stats().num_tokens
    with llm.cancel_scope() as scope:
        response = SimpleChatEngine.from_defaults(llm=llm).stream_chat("Hello")
        tokens = response.response_gen
        next(tokens)
        scope.cancel()
        tokens.close()
    asyncio.run(settled(family))
    assert family.stats().num_tokens - before < ENDLESS_LEN


async def _all(stream: Any) -> list[Any]:
    return [part async for part in stream]


def cancelled_in_mid_flight(engine: Engine, scope: Any) -> threading.Thread:
    """A thread that cancels as soon as something runs."""

    def watch() -> None:
        while engine.stats().num_running == 0:
            time.sleep(POLL)
        scope.cancel()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


WHOLE: dict[str, Any] = {
    "chat": lambda m: m.chat(ASK),
    "achat": lambda m: asyncio.run(m.achat(ASK)),
    "complete": lambda m: m.complete("Hello"),
    "acomplete": lambda m: asyncio.run(m.acomplete("Hello")),
    "chat engine": lambda m: SimpleChatEngine.from_defaults(llm=m).chat("Hello"),
    "chat engine, async": lambda m: asyncio.run(
        SimpleChatEngine.from_defaults(llm=m).achat("Hello")
    ),
}


@contextmanager
def cut_short(engine: Engine) -> Iterator[EFTLLM]:
    """A model whose answers do not end by themselves; inside, hardly anything of one is written."""
    before = engine.stats().num_tokens
    yield EFTLLM(engine=engine, **ENDLESS)
    asyncio.run(settled(engine))
    assert engine.stats().num_tokens - before < ENDLESS_LEN


@pytest.mark.parametrize("way", WHOLE)
def test_a_scope_that_is_cancelled_in_mid_flight_leaves_the_partial_text(
    family: Engine, way: str
) -> None:
    with cut_short(family) as llm, llm.cancel_scope() as scope:
        thread = cancelled_in_mid_flight(family, scope)
        assert WHOLE[way](llm) is not None
        thread.join()


@pytest.mark.parametrize("way", ["chat", "chat engine"])
def test_an_outer_scope_ends_what_was_asked_for_in_an_inner_one(family: Engine, way: str) -> None:
    with cut_short(family) as llm, llm.cancel_scope() as outer:
        thread = cancelled_in_mid_flight(family, outer)
        with llm.cancel_scope() as inner:
            WHOLE[way](llm)
        thread.join()
    assert not inner.is_cancelled


def test_a_scope_reaches_a_response_that_is_read_outside(family: Engine) -> None:
    """LlamaIndex asks the model only when the response is read."""
    with cut_short(family) as llm:
        with llm.cancel_scope() as scope:
            response = query_engine(llm).query("What?")
        next(response.response_gen)
        scope.cancel()
        list(response.response_gen)


def test_a_scope_of_the_reader_reaches_a_response_of_another_block(family: Engine) -> None:
    with cut_short(family) as llm:
        with llm.override(alpha=0.5):
            response = query_engine(llm).query("What?")
        with llm.cancel_scope() as scope:
            next(response.response_gen)
            scope.cancel()
            list(response.response_gen)


async def test_a_scope_reaches_an_async_response_that_is_read_outside(family: Engine) -> None:
    llm = EFTLLM(engine=family, **ENDLESS)
    before = family.stats().num_tokens
    with llm.cancel_scope() as scope:
        response = await query_engine(llm).aquery("What?")
    tokens = response.async_response_gen()
    await anext(tokens)
    scope.cancel()
    await _all(tokens)
    await settled(family)
    assert family.stats().num_tokens - before < ENDLESS_LEN


async def test_a_scope_ends_the_task_of_a_chat_engine(family: Engine) -> None:
    llm = EFTLLM(engine=family, **ENDLESS)
    before = family.stats().num_tokens
    with llm.cancel_scope() as scope:
        response = await SimpleChatEngine.from_defaults(llm=llm).astream_chat("Hello")
        tokens = response.async_response_gen()
        await anext(tokens)
        scope.cancel()
        await _all(tokens)
    await settled(family)
    assert family.stats().num_tokens - before < ENDLESS_LEN


@pytest.mark.parametrize("is_async", [False, True])
def test_a_cancelled_scope_ends_whole_answers(engine: Engine, is_async: bool) -> None:
    llm = EFTLLM(engine=engine, max_tokens=LONG)
    with llm.cancel_scope() as scope:
        scope.cancel()
        response = asyncio.run(llm.achat(ASK)) if is_async else llm.chat(ASK)
    assert response.raw is not None
    assert response.raw["finish_reason"] == "cancelled"
    assert llm.with_options(max_tokens=2).chat(ASK).raw["finish_reason"] != "cancelled"


STREAMS: dict[str, Any] = {
    "chat": lambda m: m.stream_chat(ASK),
    "complete": lambda m: m.stream_complete("Hello"),
    "achat": lambda m: _read(m.astream_chat(ASK)),
    "acomplete": lambda m: _read(m.astream_complete("Hello")),
}


def _read(call: Any) -> list[Any]:
    async def read() -> list[Any]:
        return await _all(await call)

    return asyncio.run(read())


@pytest.mark.parametrize("way", STREAMS)
def test_a_stream_that_is_cancelled_at_once_ends_as_such(engine: Engine, way: str) -> None:
    """Core's events of the end have nothing to tell of a stream without a chunk, and raise."""
    with EFTLLM(engine=engine, max_tokens=LONG).cancel_scope() as scope:
        scope.cancel()
        (*_, last) = STREAMS[way](EFTLLM(engine=engine, max_tokens=LONG))
    assert last.raw["finish_reason"] == "cancelled"
    assert last.raw["usage"]["completion_tokens"] <= 1


@pytest.mark.parametrize("is_async", [False, True])
def test_a_call_that_is_cancelled_in_the_middle_is_no_call(family: Engine, is_async: bool) -> None:
    """An agent would run it with what was written of its arguments."""

    def note(text: str) -> str:
        """Keep a text."""
        return text

    llm = EFTLLM(engine=family, max_tokens=400, speculation="off")
    tool = FunctionTool.from_defaults(note, fn_schema=Long)
    keywords: dict[str, Any] = {"user_msg": "Keep a long text.", "tool_required": True}
    last: Any = None
    with llm.cancel_scope() as scope:

        def watch(response: Any) -> None:
            calls = response.message.additional_kwargs.get("tool_calls")
            if calls and len(str(calls)) > 60:
                scope.cancel()

        if is_async:

            async def read() -> Any:
                last = None
                async for last in await llm.astream_chat_with_tools([tool], **keywords):
                    watch(last)
                return last

            last = asyncio.run(read())
        else:
            for last in llm.stream_chat_with_tools([tool], **keywords):
                watch(last)
    assert scope.is_cancelled
    assert last.raw["finish_reason"] == "cancelled"
    assert llm.get_tool_calls_from_response(last, error_on_no_tool_call=False) == []


def test_a_deadline_ends_with_the_partial_text(llm: EFTLLM) -> None:
    with llm.override(timeout=1e-6, max_tokens=LONG):
        response = llm.chat(ASK)
    assert response.raw is not None
    assert response.raw["finish_reason"] == "timeout"


async def test_the_loop_turns_while_a_text_is_written(engine: Engine) -> None:
    task, num_turns = asyncio.create_task(EFTLLM(engine=engine, max_tokens=40).achat(ASK)), 0
    while not task.done():
        await asyncio.sleep(0)
        num_turns += 1
    assert num_turns > 40, "the loop turned less often than tokens were written"


# Copies.


def test_copies_share_the_engine(own: EFTLLM) -> None:
    for twin in (copy.deepcopy(own), copy.copy(own), own.model_copy(), own.bind(alpha=0.5)):
        assert twin.engine is own.engine
    assert pickle.loads(pickle.dumps(own)).engine is own.engine
    assert load_llm(own.to_dict()).engine is own.engine  # type: ignore[attr-defined]


def test_a_dump_is_plain_json_and_finds_an_engine_that_was_given(llm: EFTLLM) -> None:
    dump = json.loads(llm.with_options(alpha=0.5, stop=["x"]).to_json())
    again: Any = load_llm(dump)
    assert again.engine is llm.engine
    assert again.to_dict() == llm.with_options(alpha=0.5, stop=["x"]).to_dict()


def test_the_embedded_family_is_dumped_without_paths(family: Engine) -> None:
    assert EFTLLM(engine=family).to_dict()["base"] is None


def test_several_tuned_members_survive_a_dump() -> None:
    members: Any = {"base": "a", "tuned": {"x": "b", "y": {"path": "c", "token": "secret"}}}
    llm = EFTLLM(**members, reference={"x": "d", "y": "e"}, dtype="float32")
    assert load_llm(llm.to_dict()).engine is llm.engine  # type: ignore[attr-defined]
    given = EFTLLM(engine=shared_with_config(llm))
    assert given.to_dict()["tuned"]["x"] == {"path": "b", "dtype": "float32", "device": "auto"}
    assert "secret" not in str(given.to_dict())
    assert load_llm(given.to_dict()).engine is llm.engine  # type: ignore[attr-defined]


def shared_with_config(llm: EFTLLM) -> Any:
    """What the field holds for a copy: nothing is loaded."""
    return llm.engine


def test_pickling_leaves_handlers_where_they_are(llm: EFTLLM) -> None:
    manager = CallbackManager([TokenCountingHandler()])
    model = llm.model_copy(update={"callback_manager": manager, "rate_limiter": time.sleep})
    again = pickle.loads(pickle.dumps(model))
    assert model.callback_manager is manager
    assert again.callback_manager.handlers == []
    assert again.rate_limiter is None
    assert copy.deepcopy(model).callback_manager is manager
    assert again.chat(ASK).message.content == llm.chat(ASK).message.content


def test_structured_models_are_copied_as_models_are(llm: EFTLLM) -> None:
    manager = CallbackManager([TokenCountingHandler()])
    model = llm.as_structured_llm(Named, callback_manager=manager)
    again = pickle.loads(pickle.dumps(model))
    assert again.output_cls is Named
    assert again.llm.engine is llm.engine
    assert (model.callback_manager, again.callback_manager.handlers) == (manager, [])
    assert copy.deepcopy(model).callback_manager is manager

    class Local(BaseModel):
        name: str

    local = llm.as_structured_llm(Local)
    with pytest.raises((AttributeError, pickle.PicklingError), match="Local"):
        pickle.dumps(local)
    assert local.output_cls is Local


# Refusals.


@pytest.mark.parametrize("name", sorted(TOLERATED))
def test_what_is_tolerated_does_nothing(llm: EFTLLM, name: str) -> None:
    assert llm.chat(ASK, **{name: {"x": "y"}}).message == llm.chat(ASK).message
    assert name not in OPTIONS | CHAT_OPTIONS


def test_the_list_of_what_is_tolerated_is_closed() -> None:
    assert sorted(TOLERATED) == ["extra_headers"]


@pytest.mark.parametrize("name", ["extra_body", "max_new_tokens", "temprature"])
def test_what_is_unknown_is_refused(llm: EFTLLM, name: str) -> None:
    with pytest.raises(UnknownOption, match=name):
        llm.chat(ASK, **{name: 1})
    with pytest.raises(UnknownOption, match=name):
        EFTLLM(**{name: 1})  # type: ignore[arg-type] # none of its fields


def test_what_is_no_prompt_is_refused(llm: EFTLLM) -> None:
    for prompt in (None, 3, ["Hello"]):
        with pytest.raises(InvalidRequest, match="a prompt must be a string"):
            llm.complete(prompt)


@pytest.mark.parametrize(
    "given",
    [
        {"messages_to_prompt": lambda messages: "x"},
        {"completion_to_prompt": lambda prompt: "x"},
        {"query_wrapper_prompt": PromptTemplate("x {query_str}")},
    ],
)
def test_what_would_do_nothing_is_refused(engine: Engine, given: dict[str, Any]) -> None:
    with pytest.raises(
        InvalidRequest, match=r"has no effect here; give (templates|system_prompt)="
    ):
        EFTLLM(engine=engine, **given)


def test_errors_reach_whoever_asked(family: Engine) -> None:
    llm = EFTLLM(engine=family, max_tokens=10)
    index = VectorStoreIndex.from_documents(
        [Document(text="A sentence.")], embed_model=MockEmbedding(embed_dim=4)
    )
    engine = index.as_query_engine(llm=llm)
    with llm.override(max_tokens=4090), pytest.raises(ContextOverflow):
        engine.query("What?")
    broken = llm.bind(regex="(")
    with pytest.raises(InvalidRequest):
        index.as_query_engine(llm=broken).query("What?")
    with pytest.raises(InvalidRequest):  # through a loop of LlamaIndex's own
        KeywordExtractor(llm=broken, show_progress=False)([TextNode(text="A sentence.")])


def test_a_closed_engine_says_so(own: EFTLLM) -> None:
    own.open_engine.close()
    with pytest.raises(EngineClosed):
        own.chat(ASK)


def test_the_registry_knows_the_class() -> None:
    """As soon as the package is imported, and nothing of it used."""
    code = (
        "import eft_integrations.llama_index\n"
        "from llama_index.core.llms.loading import RECOGNIZED_LLMS\n"
        "assert 'EFTLLM' in RECOGNIZED_LLMS"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert isinstance(load_llm({"class_name": "EFTLLM"}), EFTLLM)
    assert isinstance(load_llm(MockLLM().to_dict()), MockLLM)
