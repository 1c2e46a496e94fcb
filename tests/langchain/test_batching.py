"""Many calls are one engine batch, and a call that nobody waits for costs nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage, HumanMessage

from eft_integrations import Engine
from eft_integrations.langchain import EFTLLM, ChatEFT
from tests.conftest import open_trio

ASK = "Hello"
ROWS, TOKENS = 6, 20

Many = Callable[[Any, list[str]], Any]
WAYS: dict[str, Many] = {
    "batch": lambda m, asks: m.batch(asks, max_tokens=TOKENS),
    "abatch": lambda m, asks: asyncio.run(m.abatch(asks, max_tokens=TOKENS)),
}


def steps(engine: Engine, run: Callable[[], Any]) -> int:
    before = engine.stats().num_steps
    run()
    return engine.stats().num_steps - before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM])
def test_many_calls_are_one_batch(engine: Engine, kind: Any, way: str) -> None:
    model = kind(engine=engine)
    alone = steps(engine, lambda: model.invoke(ASK, max_tokens=TOKENS))
    together = steps(engine, lambda: WAYS[way](model, [ASK] * ROWS))
    assert together < 2 * alone


def test_generate_takes_many_as_one_batch(engine: Engine, chat: ChatEFT) -> None:
    rows: list[list[BaseMessage]] = [[HumanMessage(ASK)]] * ROWS
    alone = steps(engine, lambda: chat.generate(rows[:1], max_tokens=TOKENS))
    together = steps(engine, lambda: chat.generate(rows, max_tokens=TOKENS))
    assert together < 2 * alone
    result = chat.generate(rows)
    assert len(result.generations) == len(result.run or []) == ROWS


@pytest.mark.parametrize("way", ["batch", "abatch", "generate", "agenerate", "as they come"])
def test_a_batch_may_be_longer_than_the_queue(trio: Path, way: str) -> None:
    with open_trio(trio, max_slots=2, max_queue=4) as small:
        model = ChatEFT(engine=small, max_tokens=2)
        rows: list[list[BaseMessage]] = [[HumanMessage(ASK)]] * 20

        async def as_they_come() -> list[Any]:
            return [each async for each in model.abatch_as_completed([ASK] * 20)]

        many: dict[str, Callable[[], Any]] = {
            "as they come": lambda: asyncio.run(as_they_come()),
            "batch": lambda: model.batch([ASK] * 20),
            "abatch": lambda: asyncio.run(model.abatch([ASK] * 20)),
            "generate": lambda: model.generate(rows).generations,
            "agenerate": lambda: asyncio.run(model.agenerate(rows)).generations,
        }
        assert len(many[way]()) == 20


def test_a_row_that_fails_is_returned_in_its_place(chat: ChatEFT) -> None:
    found = chat.batch(["", ASK], return_exceptions=True, stop_token_ids=[10**9])
    assert [type(row).__name__ for row in found] == ["InvalidRequest"] * 2


def idle(engine: Engine) -> bool:
    stats = engine.stats()
    return stats.num_running == 0 and stats.num_waiting == 0


def num_tokens_after_break(engine: Engine, stream: Any) -> int:
    """Tokens that the engine writes once the reader has gone; another call flushes its steps."""
    next(stream)
    stream.close()
    written = engine.stats().num_tokens
    engine.generate("x", max_tokens=2)
    return engine.stats().num_tokens - written


@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM])
def test_breaking_a_stream_ends_the_computation(engine: Engine, kind: Any) -> None:
    stream = kind(engine=engine).stream(ASK, max_tokens=400)
    assert num_tokens_after_break(engine, stream) < 40
    assert idle(engine)


@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM])
async def test_cancelling_a_call_ends_the_computation(engine: Engine, kind: Any) -> None:
    before = engine.stats().num_tokens
    task = asyncio.create_task(kind(engine=engine).ainvoke(ASK, max_tokens=480))
    while engine.stats().num_running == 0 and not task.done():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await engine.agenerate("x", max_tokens=2)
    assert engine.stats().num_tokens - before < 480
    assert idle(engine)


async def test_breaking_an_async_stream_ends_the_computation(engine: Engine, chat: ChatEFT) -> None:
    before = engine.stats().num_tokens
    stream: Any = chat.astream(ASK, max_tokens=480)
    await anext(stream)
    await stream.aclose()
    await engine.agenerate("x", max_tokens=2)
    assert engine.stats().num_tokens - before < 480
    assert idle(engine)


@pytest.mark.filterwarnings("ignore:The method .* is in beta")
async def test_leaving_a_v3_stream_ends_the_computation(engine: Engine, chat: ChatEFT) -> None:
    before = engine.stats().num_tokens
    async with await chat.astream_events(ASK, version="v3", max_tokens=480) as stream:
        async for _ in stream.text:
            break
    await engine.agenerate("x", max_tokens=2)
    assert engine.stats().num_tokens - before < 480
    assert idle(engine)


class Fails(BaseCallbackHandler):
    raise_error = True

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError(token)


@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM])
def test_a_handler_that_fails_ends_the_computation(engine: Engine, kind: Any) -> None:
    before = engine.stats().num_tokens
    with pytest.raises(ZeroDivisionError):
        list(kind(engine=engine).stream(ASK, {"callbacks": [Fails()]}, max_tokens=480))
    engine.generate("x", max_tokens=2)
    assert engine.stats().num_tokens - before < 480
    assert idle(engine)


def test_a_stream_that_nobody_reads_costs_nothing(engine: Engine, chat: ChatEFT) -> None:
    before = engine.stats().num_tokens
    stream: Any = chat.stream(ASK, max_tokens=480)
    later: Any = chat.astream(ASK, max_tokens=480)
    del stream, later
    assert engine.stats().num_tokens == before


def test_a_timeout_ends_with_the_partial_text(chat: ChatEFT) -> None:
    message = chat.invoke(ASK, max_tokens=480, timeout=1e-6)
    assert message.response_metadata["finish_reason"] == "timeout"
