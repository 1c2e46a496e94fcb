"""Cancellation, a full queue, failures, close, fork: nothing hangs, nothing leaks."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from eft_integrations import Engine, EngineClosed, Overloaded, StepFailed, TokenEvent
from eft_integrations.engine.detokenize import Detokenizer
from eft_integrations.engine.scripted import scripted_core
from eft_integrations.engine.sequence import Sequence
from eft_integrations.engine.worker import Worker
from eft_integrations.mixture import Mixture, Terms
from eft_integrations.request import Request, Sampling
from tests.conftest import open_trio


def wait_until(claim: Callable[[], bool]) -> None:
    """Bounded: the engine's thread needs a step or two."""
    deadline = time.monotonic() + 20
    while not claim():
        assert time.monotonic() < deadline, "the engine did not get there within 20 seconds"
        time.sleep(0.002)


def is_idle(engine: Engine) -> bool:
    stats = engine.stats()
    return stats.num_running == 0 and stats.num_waiting == 0


@pytest.fixture
def small(trio: Path) -> Iterator[Engine]:
    with open_trio(trio, max_slots=2, max_queue=1) as engine:
        yield engine


def test_breaking_off_frees_the_slot(engine: Engine) -> None:
    with engine.stream("Hello", max_tokens=450) as stream:
        for event in stream:
            if event.index == 2:
                break
    wait_until(lambda: is_idle(engine))
    assert stream.result.finish_reason == "cancelled"
    assert 3 <= len(stream.result.token_ids) < 450


def test_a_stream_that_is_dropped_unread_is_cancelled(engine: Engine) -> None:
    stream = engine.stream("Hello", max_tokens=450)
    del stream
    gc.collect()
    wait_until(lambda: is_idle(engine))


def test_a_closed_stream_stops_iterating_at_once(engine: Engine) -> None:
    stream = engine.stream("Hello", max_tokens=400)
    next(stream)
    stream.close()
    assert list(stream) == []


def test_cancelling_a_task_frees_its_slots(engine: Engine) -> None:
    async def run() -> None:
        task = asyncio.create_task(engine.agenerate(["Hello"] * 3, max_tokens=450))
        while engine.stats().num_running == 0:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    wait_until(lambda: is_idle(engine))


def test_a_loop_that_ends_early_does_no_harm(engine: Engine) -> None:
    async def run() -> None:
        stream = engine.astream("Hello", max_tokens=300)
        await anext(stream)

    asyncio.run(run())
    gc.collect()
    wait_until(lambda: is_idle(engine))
    assert engine.generate("Hello", max_tokens=2).finish_reason == "length"


def test_a_full_queue_raises_and_a_batch_waits(small: Engine) -> None:
    streams = [small.stream("Hello", max_tokens=400) for _ in range(3)]
    with pytest.raises(Overloaded, match=r"3 requests run or wait, the limit is 3"):
        small.stream("Hello")
    for stream in streams:
        stream.close()
    rows = small.generate(["Hello"] * 12, max_tokens=3)
    assert len({row.token_ids for row in rows}) == 1
    assert len(rows) == 12


def test_close_fails_what_is_open(trio: Path) -> None:
    engine = open_trio(trio, max_slots=1)
    streams = [engine.stream("Hello", max_tokens=450) for _ in range(3)]
    engine.close()
    for stream in streams:
        with pytest.raises(EngineClosed, match="closed while this request was open"):
            list(stream)
    for call in (lambda: engine.generate("Hello"), engine.stats, lambda: engine.stream("x")):
        with pytest.raises(EngineClosed, match="build a new one"):
            call()
    engine.close()


def test_an_engine_is_collected_with_its_thread(trio: Path) -> None:
    before = threading.active_count()
    engine = open_trio(trio)
    assert threading.active_count() == before + 1
    del engine
    gc.collect()
    assert threading.active_count() == before


def test_a_stream_keeps_its_engine_alive(trio: Path) -> None:
    stream = open_trio(trio).stream("Hello", max_tokens=5)
    gc.collect()
    assert stream.result.finish_reason == "length"


def test_use_after_fork_raises(engine: Engine) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    def child() -> None:
        try:
            engine.generate("Hello", max_tokens=1)
        except EngineClosed as error:
            answers.put(str(error))
        finally:
            os._exit(0)

    process = context.Process(target=child)
    process.start()
    process.join(20)
    assert "fork" in answers.get()
    assert engine.generate("Hello", max_tokens=1).usage.completion_tokens == 1


def test_the_interpreter_exits_with_a_stream_open(trio: Path) -> None:
    code = (
        "from eft_integrations import Engine\n"
        f"e = Engine.from_pretrained(base={str(trio / 'base')!r}, tuned={str(trio / 'tuned')!r},"
        f" reference={str(trio / 'reference')!r}, dtype='float32')\n"
        "s = e.stream('Hello', max_tokens=450)\n"
        "print(next(s).index)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


@pytest.mark.skipif(
    sys.platform != "linux" or torch.get_num_threads() < 2, reason="counts OpenMP threads"
)
def test_loading_leaves_no_openmp_team_on_the_callers_thread(trio: Path) -> None:
    code = (
        "from eft_integrations import Engine\n"
        "import os, torch\n"
        f"e = Engine.from_pretrained(base={str(trio / 'base')!r}, tuned={str(trio / 'tuned')!r},"
        f" reference={str(trio / 'reference')!r}, dtype='float32')\n"
        "e.generate('Hello', max_tokens=2)\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "torch.ones(1 << 22).sum()\n"
        "print(len(os.listdir('/proc/self/task')) - before == torch.get_num_threads() - 1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


# A scripted role stands for a forward pass that fails.


def counting(row: list[int]) -> torch.Tensor:
    """Always the next number."""
    return torch.nn.functional.one_hot(torch.tensor((row[-1] + 1) % 8), 8).float() * 20


def failing_at(trigger: int) -> Callable[[list[int]], torch.Tensor]:
    def script(row: list[int]) -> torch.Tensor:
        if row[-1] == trigger:
            raise ValueError("the script says so")
        return counting(row)

    return script


def scripted_sequence(
    prompt: list[int],
    max_tokens: int,
    sink: Any,
    *,
    temperature: float = 0.0,
    continuation: tuple[int, ...] | None = None,
) -> Sequence:
    request = Request(
        prompts={"base": tuple(prompt)},
        mixture=Mixture(weights={"base": 1.0}),
        terms=Terms(coefficients={"base": 1.0}),
        sampling=Sampling(max_tokens=max_tokens, seed=0, temperature=temperature),
        continuation=continuation,
    )
    return Sequence(
        request, sink=sink, detokenizer=Detokenizer(lambda ids: "".join(map(str, ids)), prompt)
    )


def test_a_step_that_raises_fails_its_requests_and_the_engine_goes_on() -> None:
    core = scripted_core({"base": failing_at(5)}, size=8)
    items: list[Any] = []
    core.scheduler.waiting.append(scripted_sequence([3], 6, items.append))
    while core.step():
        pass
    *tokens, failure = items
    assert [item.token_id for item in tokens] == [4, 5]
    assert isinstance(failure, StepFailed)
    assert isinstance(failure.__cause__, ValueError)
    items.clear()
    core.scheduler.waiting.append(scripted_sequence([0], 3, items.append))
    while core.step():
        pass
    assert [item.token_id for item in items] == [1, 2, 3]
    assert items[-1].finish_reason == "length"


def test_logits_that_are_nan_fail_their_request_only() -> None:
    def script(row: list[int]) -> torch.Tensor:
        return torch.full((8,), torch.nan) if row[0] == 7 else counting(row)

    core = scripted_core({"base": script}, size=8)
    good: list[Any] = []
    bad: list[Any] = []
    core.scheduler.waiting.append(scripted_sequence([7], 3, bad.append))
    core.scheduler.waiting.append(scripted_sequence([0], 3, good.append))
    while core.step():
        pass
    assert isinstance(bad[0], StepFailed)
    assert [item.token_id for item in good] == [1, 2, 3]


def test_one_thread_runs_the_models() -> None:
    seen: set[str] = set()

    def script(row: list[int]) -> torch.Tensor:
        seen.add(threading.current_thread().name)
        return counting(row)

    worker = Worker(scripted_core({"base": script}, size=8), max_queue=4)
    finished = threading.Event()

    def sink(item: Any) -> None:
        if isinstance(item, TokenEvent) and item.finish_reason:
            finished.set()

    worker.submit(scripted_sequence([0], 5, sink))
    assert finished.wait(20)
    worker.close()
    assert seen == {"eft-engine"}


def test_a_loop_that_dies_tells_those_who_wait() -> None:
    worker = Worker(scripted_core({"base": counting}, size=8), max_queue=4)
    items: list[Any] = []
    told = threading.Event()

    def sink(item: Any) -> None:
        items.append(item)
        told.set()

    sequence = scripted_sequence([0], 5, sink)
    broken: Any = None
    sequence.stops = broken  # a mistake of our own, outside every guarded pass
    sequence.is_cancelled = True
    hook, threading.excepthook = threading.excepthook, lambda _args: None
    try:
        worker.submit(sequence)
        assert told.wait(20)
        worker._thread.join(20)
    finally:
        threading.excepthook = hook
    assert isinstance(items[-1], EngineClosed)
    with pytest.raises(EngineClosed):
        worker.submit(sequence)
