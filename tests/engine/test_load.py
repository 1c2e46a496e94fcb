"""Many consumers at once, a third of them gone midway."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from eft_integrations import Engine
from tests.conftest import open_trio
from tests.engine.test_lifecycle import is_idle, wait_until

NUM = 64


class Forbidden(TorchFunctionMode):
    """Raises where this thread calls torch."""

    def __torch_function__(self, func: Any, *_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError(f"the event loop's thread called {func}")


def job(number: int) -> dict[str, Any]:
    """A request of its own for each consumer."""
    return {
        "prompt": f"Request {number} " * (1 + number % 7),
        "alpha": (number % 5) * 0.4,
        "temperature": (number % 3) * 0.5,
        "seed": number,
        "max_tokens": 10 + number % 20,
    }


def is_cancelled(number: int) -> bool:
    return number % 3 == 0


@pytest.fixture(scope="module")
def solo(trio: Path) -> dict[int, tuple[int, ...]]:
    """What each request writes when it runs alone."""
    with open_trio(trio, max_slots=1) as engine:
        return {n: engine.generate(**job(n)).token_ids for n in range(NUM)}


async def consume(engine: Engine, number: int) -> tuple[int, ...] | None:
    async with engine.astream(**job(number)) as stream:
        async for event in stream:
            if is_cancelled(number) and event.index == 4:
                return None
    return stream.result.token_ids


def consume_in_thread(engine: Engine, number: int) -> tuple[int, ...] | None:
    with engine.stream(**job(number)) as stream:
        for event in stream:
            if is_cancelled(number) and event.index == 4:
                return None
    return stream.result.token_ids


@pytest.mark.slow
def test_streams_from_asyncio_equal_their_solo_runs(
    trio: Path, solo: dict[int, tuple[int, ...]]
) -> None:
    async def run(engine: Engine) -> list[Any]:
        with Forbidden():
            return await asyncio.gather(*(consume(engine, n) for n in range(NUM)))

    with open_trio(trio) as engine:
        results = asyncio.run(run(engine))
        wait_until(lambda: is_idle(engine))
    assert {n: r for n, r in enumerate(results) if r} == {
        n: tokens for n, tokens in solo.items() if not is_cancelled(n)
    }


@pytest.mark.slow
def test_streams_from_threads_and_asyncio_together_equal_their_solo_runs(
    trio: Path, solo: dict[int, tuple[int, ...]]
) -> None:
    with open_trio(trio) as engine, ThreadPoolExecutor(NUM // 2) as pool:
        futures = {n: pool.submit(consume_in_thread, engine, n) for n in range(0, NUM, 2)}

        async def odd() -> list[Any]:
            return await asyncio.gather(*(consume(engine, n) for n in range(1, NUM, 2)))

        results = dict(zip(range(1, NUM, 2), asyncio.run(odd()), strict=True))
        results.update({n: future.result(60) for n, future in futures.items()})
        wait_until(lambda: is_idle(engine))
    assert {n: r for n, r in results.items() if r} == {
        n: tokens for n, tokens in solo.items() if not is_cancelled(n)
    }


def num_live_tensors() -> int:
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


def settled(engine: Engine) -> int:
    """Live tensors once the engine's thread has left its last step and let go of its locals."""
    readings: list[int] = []

    def is_settled() -> bool:
        readings.append(num_live_tensors())
        return is_idle(engine) and len(readings) > 5 and len(set(readings[-5:])) == 1

    wait_until(is_settled)
    return readings[-1]


@pytest.mark.slow
def test_live_tensors_and_threads_stay_constant_over_500_requests(trio: Path) -> None:
    with open_trio(trio) as engine:
        engine.generate(["Warm up, with a long text " * 5] * 16, max_tokens=30)
        kept = engine._assembly.core.passes.prefixes
        kept.clear()
        tensors, threads, room = settled(engine), threading.active_count(), engine.stats()
        for start in range(0, 500, 20):
            jobs = [job(n) for n in range(start, start + 20)]
            streams = [engine.stream(**{**one, "max_tokens": 6}) for one in jobs]
            for number, stream in enumerate(streams):
                if number % 3:
                    assert stream.result.finish_reason in ("length", "stop")
                stream.close()
        del streams, stream
        wait_until(lambda: is_idle(engine))
        assert 0 < kept.num_bytes < kept.max_bytes
        kept.clear()
        assert settled(engine) == tensors
        assert threading.active_count() == threads
        assert engine.stats().kv_bytes == room.kv_bytes
