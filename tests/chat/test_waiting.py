"""Calls of the faces wait for room, however many: in order, cancellable, never for too long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from eft_integrations import Engine, EngineClosed, Overloaded
from eft_integrations import langchain as of_langchain
from eft_integrations.engine.assemble import assemble
from eft_integrations.engine.config import EngineConfig
from eft_integrations.engine.scripted import scripted_core
from eft_integrations.langchain import ChatEFT
from eft_integrations.llama_index import EFTLLM
from tests.conftest import ROLES

MANY = 1000
POLL = 0.001  # seconds; a busy loop would starve the engine's thread


@dataclass
class Gated:
    """An engine with one place, no queue, and a step that ends when ``gate`` is set."""

    engine: Engine
    gate: threading.Event

    def is_taken(self, num_waiting: int) -> bool:
        stats = self.engine.stats()
        return (stats.num_running, stats.num_waiting) == (1, num_waiting)

    @property
    def is_open(self) -> bool:
        try:
            self.engine.stats()
        except EngineClosed:
            return False
        return True

    async def taken(self, num_waiting: int) -> None:
        async with asyncio.timeout(60):
            while not self.is_taken(num_waiting):
                await asyncio.sleep(POLL)


@pytest.fixture
def gated(trio: Path) -> Iterator[Gated]:
    members: dict[str, Any] = {role: trio / role for role in ROLES}
    config = EngineConfig.of(**members, dtype="float32", max_slots=1, max_queue=0)
    assembly, gate = assemble(config), threading.Event()

    def script(_row: list[int]) -> torch.Tensor:
        gate.wait()
        return torch.zeros(assembly.preparer.size)

    core = scripted_core(dict.fromkeys(ROLES, script), size=assembly.preparer.size, max_slots=1)
    with Engine(replace(assembly, core=core)) as engine:
        yield Gated(engine, gate)
        gate.set()


async def streamed(stream: Any) -> Any:
    return [chunk async for chunk in stream][-1]


Call = Callable[[Engine], Coroutine[Any, Any, Any]]
CALLS: dict[str, Call] = {
    "acomplete": lambda e: EFTLLM(engine=e, max_tokens=1).acomplete("Hello"),
    "raw text": lambda e: EFTLLM(engine=e, max_tokens=1).acomplete("Hello", formatted=True),
    "ainvoke": lambda e: ChatEFT(engine=e, max_tokens=1).ainvoke("Hello"),
    "astream": lambda e: streamed(ChatEFT(engine=e, max_tokens=1).astream("Hello")),
    "text model": lambda e: of_langchain.EFTLLM(engine=e, max_tokens=1).ainvoke("Hello"),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_thousand_calls_wait_where_one_runs(gated: Gated, call: str) -> None:
    tasks = [asyncio.create_task(CALLS[call](gated.engine)) for _ in range(MANY)]
    await gated.taken(MANY - 1)
    with pytest.raises(Overloaded, match="the limit is 1"):  # as for servers
        gated.engine.stream("Hello")
    gated.gate.set()
    assert len(await asyncio.gather(*tasks)) == MANY


def test_calls_of_threads_wait_too(gated: Gated) -> None:
    llm, chat = EFTLLM(engine=gated.engine, max_tokens=1), ChatEFT(engine=gated.engine)
    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(llm.complete, "Hello") for _ in range(10)]
        calls += [pool.submit(chat.invoke, "Hello", max_tokens=1) for _ in range(10)]
        try:
            asyncio.run(gated.taken(19))
        finally:
            gated.gate.set()  # or the pool would wait for ever
        assert all(call.result() for call in calls)


async def test_calls_are_answered_in_the_order_in_which_they_came(gated: Gated) -> None:
    llm, ended, tasks = EFTLLM(engine=gated.engine, max_tokens=1), list[int](), []

    async def call(number: int) -> None:
        await llm.acomplete("Hello")
        ended.append(number)

    for number in range(10):
        tasks.append(asyncio.create_task(call(number)))
        await gated.taken(number)
    gated.gate.set()
    await asyncio.gather(*tasks)
    assert ended == list(range(10))


@pytest.mark.parametrize("call", CALLS)
async def test_a_call_that_waits_can_be_cancelled(gated: Gated, call: str) -> None:
    running = asyncio.create_task(CALLS[call](gated.engine))
    await gated.taken(0)
    waiting = asyncio.create_task(CALLS[call](gated.engine))
    await gated.taken(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting  # at once: the gate is shut
    gated.gate.set()
    await running
    await gated.engine.agenerate("x", max_tokens=1)
    assert gated.engine.stats().num_tokens == 2, "what was cancelled wrote something"


async def test_a_call_waits_no_longer_than_its_timeout(gated: Gated) -> None:
    running = asyncio.create_task(CALLS["acomplete"](gated.engine))
    await gated.taken(0)
    late: dict[str, Any] = {"timeout": 1e-6, "max_tokens": 9}
    llm, chat = EFTLLM(engine=gated.engine), ChatEFT(engine=gated.engine)
    waiting: list[Any] = [
        asyncio.create_task(llm.acomplete("Hello", **late)),
        asyncio.create_task(chat.ainvoke("Hello", **late)),
    ]
    await gated.taken(2)
    gated.gate.set()
    response, message = await asyncio.gather(*waiting)
    assert response.raw["finish_reason"] == "timeout"
    assert message.response_metadata["finish_reason"] == "timeout"
    assert response.text == message.content == ""
    await running


@pytest.mark.parametrize("call", CALLS)
async def test_closing_the_engine_ends_what_waits(gated: Gated, call: str) -> None:
    tasks = [asyncio.create_task(CALLS[call](gated.engine)) for _ in range(3)]
    await gated.taken(2)
    closing = asyncio.create_task(asyncio.to_thread(gated.engine.close))
    while gated.is_open:
        await asyncio.sleep(POLL)
    gated.gate.set()
    await closing
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(each, EngineClosed) for each in ended) == 2, "one of three was running"
