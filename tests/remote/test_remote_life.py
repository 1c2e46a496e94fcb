"""Connections, deadlines, copies, secrets, and what goes wrong."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.load import dumps
from llama_index.core.base.llms.types import ChatMessage

from eft_integrations import (
    ContextOverflow,
    EFTError,
    Engine,
    InvalidRequest,
    Overloaded,
    ServerError,
    UnknownOption,
)
from eft_integrations.langchain import EFTLLM, ChatEFT
from eft_integrations.llama_index import EFTLLM as IndexLLM  # noqa: N811 — two of one name
from eft_integrations.remote.client import MAX_AT_ONCE
from tests.served import MODEL, Endpoint

ASK = "Hello"
LONG = 400
SECRET = "sk-never-shown"
NOWHERE = "http://127.0.0.1:9/v1"  # the port of discard; nobody listens


def settle(engine: Engine) -> None:
    """Until nothing runs: a server sees a closed connection when it writes."""
    while engine.stats().num_running or engine.stats().num_waiting:
        time.sleep(0.001)


@pytest.fixture
def written(engine: Engine) -> Iterator[Callable[[], int]]:
    """How many tokens the server's engine has written in this test."""
    settle(engine)
    before = engine.stats().num_tokens

    def count() -> int:
        settle(engine)
        return engine.stats().num_tokens - before

    yield count
    settle(engine)


# Leaving.


@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM])
def test_breaking_a_stream_ends_the_computation(
    endpoint: Endpoint, written: Callable[[], int], kind: Any
) -> None:
    stream = kind(base_url=endpoint.url).stream(ASK, max_tokens=LONG)
    next(stream)
    stream.close()
    assert written() < LONG


@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM])
async def test_cancelling_a_call_ends_the_computation(
    endpoint: Endpoint, written: Callable[[], int], kind: Any
) -> None:
    task = asyncio.create_task(kind(base_url=endpoint.url).ainvoke(ASK, max_tokens=LONG))
    async with asyncio.timeout(60):
        while not endpoint.engine.stats().num_running:
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(written) < LONG


async def test_breaking_an_async_stream_ends_the_computation(
    endpoint: Endpoint, written: Callable[[], int]
) -> None:
    stream: Any = ChatEFT(base_url=endpoint.url).astream(ASK, max_tokens=LONG)
    await anext(stream)
    await stream.aclose()
    assert await asyncio.to_thread(written) < LONG


@pytest.mark.parametrize("is_async", [False, True])
def test_a_scope_that_is_cancelled_ends_an_answer(
    endpoint: Endpoint, written: Callable[[], int], is_async: bool
) -> None:
    llm = IndexLLM(base_url=endpoint.url, max_tokens=LONG)
    ask = [ChatMessage(role="user", content=ASK)]
    with llm.cancel_scope() as scope:
        stream = llm.stream_chat(ask)
        next(iter(stream))
        scope.cancel()
        (*_, last) = stream
        assert last.raw["finish_reason"] == "cancelled"
        response = asyncio.run(llm.achat(ask)) if is_async else llm.chat(ask)
    assert response.raw is not None
    assert response.raw["finish_reason"] == "cancelled"
    assert written() < LONG


# Deadlines and retries.


@pytest.mark.parametrize("is_async", [False, True])
def test_a_deadline_ends_with_the_partial_text(endpoint: Endpoint, is_async: bool) -> None:
    endpoint.silence = threading.Event()
    model = ChatEFT(base_url=endpoint.url, timeout=0.2, max_tokens=LONG)
    message = asyncio.run(model.ainvoke(ASK)) if is_async else model.invoke(ASK)
    endpoint.silence.set()
    assert message.response_metadata["finish_reason"] == "timeout"
    assert message.content
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] == 1


def test_what_fails_for_a_moment_is_asked_again(endpoint: Endpoint) -> None:
    endpoint.failures[:] = [503, 429]
    assert ChatEFT(base_url=endpoint.url, max_tokens=2).invoke(ASK).content
    assert len(endpoint.bodies) == 3


@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM])
@pytest.mark.parametrize(("of_model", "of_call", "num_sent"), [(0, None, 1), (4, 1, 2), (1, 4, 5)])
def test_max_retries_is_obeyed(
    endpoint: Endpoint, kind: Any, of_model: int, of_call: int | None, num_sent: int
) -> None:
    endpoint.failures[:] = [503] * 9
    given: dict[str, Any] = {} if of_call is None else {"max_retries": of_call}
    with pytest.raises(ServerError, match="failed: no: 503"):
        kind(base_url=endpoint.url, max_retries=of_model).invoke(ASK, **given)
    assert len(endpoint.bodies) == num_sent


def test_a_batch_is_bounded(endpoint: Endpoint) -> None:
    endpoint.silence = threading.Event()
    rows = MAX_AT_ONCE + 8
    model = ChatEFT(base_url=endpoint.url, max_tokens=4)
    thread = threading.Thread(target=lambda: answers.extend(model.batch([ASK] * rows)))
    answers: list[Any] = []
    thread.start()
    while len(endpoint.bodies) < MAX_AT_ONCE:
        time.sleep(0.001)
    assert len(endpoint.bodies) == MAX_AT_ONCE
    endpoint.silence.set()
    thread.join()
    assert len({answer.content for answer in answers}) == 1
    assert len(answers) == len(endpoint.bodies) == rows


def test_a_row_that_fails_leaves_the_others(endpoint: Endpoint, written: Callable[[], int]) -> None:
    ways: list[Any] = [EFTLLM.batch, lambda model, rows: asyncio.run(model.abatch(rows))]
    for way in ways:
        endpoint.failures[:] = [500]
        with pytest.raises(ServerError):
            way(EFTLLM(base_url=endpoint.url, max_tokens=LONG, max_retries=0), [ASK, ASK])
    assert written() < 2 * LONG


# Errors.


def failing(endpoint: Endpoint, **fields: Any) -> ChatEFT:
    return ChatEFT(**{"base_url": endpoint.url, "max_retries": 0, "max_tokens": 6, **fields})


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("fields", "failure", "error", "says"),
    [
        ({"alpha": {"x": 1.0}}, None, InvalidRequest, "unknown tuned member in alpha 'x'"),
        ({"regex": "("}, None, InvalidRequest, "regex"),
        ({"max_tokens": 10_000}, None, ContextOverflow, "10000"),
        ({"api_key": "wrong"}, None, ServerError, "refuses the key: no: 401; give api_key="),
        ({"model": "other"}, None, ServerError, "no: 404; correct model="),
        ({}, 429, Overloaded, "no: 429; ask less at once, or raise max_retries="),
        ({}, 500, ServerError, "no: 500; see its log"),
        ({"base_url": NOWHERE}, None, ServerError, "cannot be reached: .*; start it, or correct"),
    ],
)
def test_errors_are_ours_with_the_remedy(
    endpoint: Endpoint,
    fields: dict[str, Any],
    failure: int | None,
    error: type[EFTError],
    says: str,
    is_async: bool,
) -> None:
    endpoint.key = "right" if "api_key" in fields else None
    endpoint.failures[:] = [failure] if failure else []
    model = failing(endpoint, **{"model": MODEL, **fields})
    with pytest.raises(error, match=says) as caught:
        asyncio.run(model.ainvoke(ASK)) if is_async else model.invoke(ASK)
    assert caught.value.__cause__ is not None
    assert "\n" not in str(caught.value)


def test_no_answer_in_time_is_an_error(endpoint: Endpoint) -> None:
    with pytest.raises(ServerError, match="does not answer in time; raise timeout="):
        failing(endpoint, model=MODEL, timeout=1e-9).invoke(ASK)


@pytest.mark.parametrize("is_async", [False, True])
def test_an_answer_that_breaks_off_is_an_error(endpoint: Endpoint, is_async: bool) -> None:
    endpoint.breaks_after = 2
    model = failing(endpoint)
    with pytest.raises(ServerError, match="server"):
        asyncio.run(model.ainvoke(ASK)) if is_async else model.invoke(ASK)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"base_url": "localhost:8000"}, "base_url must be such as http://localhost:8000/v1"),
        ({"base": "a"}, "base= is for members in this process, and base_url= for a server"),
        ({"device": "cpu"}, "device= is for members"),
        ({"engine": object()}, "engine= is for members"),
        ({"contributions": True}, "contributions= has no effect behind base_url="),
        ({"speculation": 0}, "speculation= has no effect"),
        ({"close_within_budget": True}, "close_within_budget= has no effect"),
        ({"templates": {"base": "plain"}}, "templates= has no effect"),
        ({"dialect": "hermes"}, "dialect= has no effect"),
        ({"reasoning": False}, "reasoning= has no effect"),
        ({"max_retries": -1}, "max_retries must be at least 0"),
        ({"temperature": -1.0}, "temperature must be at least 0"),
    ],
)
def test_a_field_that_cannot_be_obeyed_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        ChatEFT(**{"base_url": NOWHERE, **fields})


@pytest.mark.parametrize(
    ("keywords", "error", "says"),
    [
        ({"contributions": True}, InvalidRequest, "contributions= has no effect"),
        ({"dialect": "hermes"}, InvalidRequest, "dialect= has no effect"),
        ({"logit_bias": {1: 500.0}}, InvalidRequest, "at most 100 either way"),
        ({"api_key": "x"}, InvalidRequest, "would be seen in traces"),
        ({"max_retries": -1}, InvalidRequest, "max_retries must be at least 0"),
        ({"tools": [{"name": "f", "parameters": {}}], "regex": "a"}, InvalidRequest, "exclude"),
        ({"alpha": 1.0, "beta": 1.0}, InvalidRequest, "exclude each other"),
        ({"temprature": 1.0}, UnknownOption, "did you mean 'temperature'"),
    ],
)
def test_a_keyword_that_cannot_be_obeyed_is_refused(
    endpoint: Endpoint, keywords: dict[str, Any], error: type[EFTError], says: str
) -> None:
    with pytest.raises(error, match=says):
        failing(endpoint).invoke(ASK, **keywords)
    assert not endpoint.bodies


def test_a_stream_tells_one_text(endpoint: Endpoint) -> None:
    with pytest.raises(InvalidRequest, match="n=2"):
        next(failing(endpoint).stream(ASK, n=2))


# Keys, copies, pickles.


@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM, IndexLLM])
def test_no_key_is_ever_shown(endpoint: Endpoint, kind: Any) -> None:
    model = kind(base_url=endpoint.url, api_key=SECRET)
    shown = [repr(model), str(model), repr(model.engine), repr(model.engine.config)]
    shown += [str(model.model_dump()), str(model.identity())]
    shown += [str(model.to_dict())] if kind is IndexLLM else [dumps(model)]
    assert not [text for text in shown if SECRET in text]
    assert SECRET.encode() not in pickle.dumps(model)


@pytest.mark.parametrize(
    ("environment", "given", "sent"),
    [
        ({}, None, "none"),
        ({"OPENAI_API_KEY": "b"}, None, "b"),
        ({"EFT_API_KEY": "a", "OPENAI_API_KEY": "b"}, None, "a"),
        ({"EFT_API_KEY": "a"}, "c", "c"),
    ],
)
def test_the_key_comes_from_the_environment(
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    given: str | None,
    sent: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    model = ChatEFT(base_url=endpoint.url, api_key=given, max_tokens=2)
    model.invoke(ASK)
    assert endpoint.headers[-1]["authorization"] == f"Bearer {sent}"


@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM, IndexLLM])
@pytest.mark.parametrize(
    "again", [copy.deepcopy, copy.copy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies_share_the_server(endpoint: Endpoint, kind: Any, again: Any) -> None:
    model = kind(base_url=endpoint.url, max_retries=1, alpha=0.5, max_tokens=4)
    twin = again(model)
    assert twin.engine is model.engine
    assert twin.with_alpha(2.0).engine is model.engine
    ask = (lambda m: m.complete(ASK).text) if kind is IndexLLM else (lambda m: str(m.invoke(ASK)))
    assert ask(twin)[:10] == ask(model)[:10]


def test_a_pickle_takes_its_key_from_where_it_is_read(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = pickle.dumps(ChatEFT(base_url=endpoint.url, api_key=SECRET, max_tokens=2))
    monkeypatch.setenv("EFT_API_KEY", "another")
    pickle.loads(pickled).invoke(ASK)
    assert endpoint.headers[-1]["authorization"] == "Bearer another"


def test_one_model_serves_many_loops_and_leaves_no_connection(endpoint: Endpoint) -> None:
    model = ChatEFT(base_url=endpoint.url, max_tokens=4)
    answers = [asyncio.run(model.ainvoke(ASK)).content for _ in range(3)]
    assert answers == [model.invoke(ASK).content] * 3
    assert len(model.engine.clients._loops) == 0
    del model
    gc.collect()  # a connection that is still open would warn here


def test_nothing_is_sent_before_somebody_asks() -> None:
    model = ChatEFT(base_url=NOWHERE, model="mine", alpha=0.5)
    assert model.model_name == "mine"
    assert model.identity()["base_url"] == NOWHERE
    assert ChatEFT(base_url=NOWHERE).model_name == f"eft:{NOWHERE}"
    with pytest.raises(InvalidRequest, match="on the server"):
        _ = model.open_engine


def test_the_client_is_needed_from_base_url_on_only() -> None:
    code = (
        "import sys\n"
        "sys.modules['openai'] = None\n"
        "from eft_integrations import LoadError\n"
        "from eft_integrations.langchain import ChatEFT\n"
        "from eft_integrations.llama_index import EFTLLM\n"
        "print(ChatEFT().model_name, EFTLLM().model_name)\n"
        "try:\n"
        "    ChatEFT(base_url='http://localhost:8000/v1')\n"
        "except LoadError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "eft-integrations[remote]" in done.stdout.splitlines()[-1]
