"""What one request does is not its neighbours' affair; what one reader does is not another's."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from eft_integrations import (
    Engine,
    EngineClosed,
    InvalidRequest,
    Plausibility,
    Sampling,
    StepFailed,
)
from eft_integrations.engine.assemble import assemble
from eft_integrations.engine.config import EngineConfig
from eft_integrations.engine.detokenize import Detokenizer
from eft_integrations.engine.kv import BLOCK
from eft_integrations.engine.sampling import adjust
from eft_integrations.engine.scripted import scripted_core
from eft_integrations.engine.sequence import Sequence
from eft_integrations.mixture import Mixture, Terms
from eft_integrations.request import MAX_BIAS, Request
from tests import reference
from tests.conftest import ROLES, open_trio
from tests.engine.test_lifecycle import counting, scripted_sequence


def test_a_cache_at_its_limit_keeps_the_rows_that_are_not_fed(
    trio: Path, models: dict[str, Any]
) -> None:
    """A role whose prompt is done waits for another's, while a second request shapes the cache."""
    per_token = 2 * 2 * 2 * 16 * 4 * 3  # keys and values, layers, heads, head size, bytes, roles
    members: dict[str, Any] = {role: trio / role for role in ROLES}
    config = EngineConfig.of(
        **members, dtype="float32", kv_memory=6 * BLOCK * per_token, prefill_chunk=16
    )
    core = assemble(config).core
    prompts = {"base": range(10, 380), "tuned": range(10, 210), "reference": range(10, 210)}
    slow = reference.generate(
        models, prompts, reference.up_scaling(1.0), max_tokens=8, size=core.size
    )
    items: list[Any] = []
    narrow = dict.fromkeys(ROLES, range(10, 500))
    core.scheduler.waiting.append(mixed_sequence(narrow, 4, lambda _item: None))
    while core.step():
        pass
    long = mixed_sequence(prompts, 8, items.append)
    core.scheduler.waiting.append(long)
    while long.computed["tuned"] < 199:
        core.step()
    assert long.computed["base"] < 300
    core.scheduler.waiting.append(
        mixed_sequence(dict.fromkeys(ROLES, range(7, 8)), 100, lambda _item: None)
    )
    while core.step():
        pass
    assert [item.token_id for item in items] == slow.token_ids


def mixed_sequence(prompts: Mapping[str, range], max_tokens: int, sink: Any) -> Sequence:
    request = Request(
        prompts={role: tuple(ids) for role, ids in prompts.items()},
        mixture=Mixture(alpha=1.0),
        terms=Terms(coefficients=reference.up_scaling(1.0)),
        sampling=Sampling(max_tokens=max_tokens, seed=0),
    )
    return Sequence(request, sink=sink, detokenizer=Detokenizer(str, [0]))


def test_a_row_that_fails_leaves_its_neighbours_alone() -> None:
    """Nan logits of one row at a temperature: nothing to choose from there, all is well here."""

    def script(row: list[int]) -> torch.Tensor:
        return torch.full((8,), torch.nan) if row[0] == 7 else counting(row)

    core = scripted_core({"base": script}, size=8)
    items: dict[int, list[Any]] = {0: [], 7: []}
    for first, sink in items.items():
        core.scheduler.waiting.append(scripted_sequence([first], 3, sink.append, temperature=1e-3))
    while core.step():
        pass
    assert isinstance(items[7][-1], StepFailed)
    assert [item.token_id for item in items[0]] == [1, 2, 3]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 1e-46},
        {"temperature": 5e-324},
        {"logit_bias": {5: MAX_BIAS}},
        {"alpha": 1000.0, "temperature": 1.0},
        {"alpha": -1000.0, "repetition_penalty": 900.0},
    ],
    ids=str,
)
def test_extreme_numbers_are_obeyed(engine: Engine, options: dict[str, Any]) -> None:
    with engine.stream("Hello", max_tokens=12) as neighbour:
        assert engine.generate("Hello", max_tokens=4, seed=0, **options).token_ids
        assert neighbour.result.finish_reason == "length"


@pytest.mark.parametrize(
    "options", [{"logit_bias": {5: 1e39}}, {"alpha": 1e39}, {"alpha": 10**400}]
)
def test_numbers_beyond_float32_are_refused(engine: Engine, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        engine.generate("Hello", **options)


def test_a_bias_against_everything_does_not_break_a_grammar(engine: Engine) -> None:
    bias = dict.fromkeys(range(engine.vocab_size), -MAX_BIAS)
    assert engine.generate("Hello", choice=["yes", "no"], logit_bias=bias).text in ("yes", "no")


def test_the_repetition_penalty_never_rewards(engine: Engine) -> None:
    log_probs = torch.tensor([0.0, 1.0, 2.0]).log_softmax(-1)
    biased = adjust(log_probs, Sampling(logit_bias={0: 5.0}), [], [])
    sampling = Sampling(logit_bias={0: 5.0}, repetition_penalty=2.0)
    assert adjust(log_probs, sampling, [0], [])[0] < biased[0]


def test_contributions_say_what_the_mask_forbade(engine: Engine) -> None:
    mask = Plausibility(role="base", min_ratio=1.0)
    for event in engine.stream("Hello", mask=mask, choice=["red"], contributions=True):
        assert event.contributions is not None
        assert sum(event.contributions.values()) == pytest.approx(event.logprob, abs=1e-4)


def test_two_readers_of_one_stream_share_it_and_both_end(engine: Engine) -> None:
    stream = engine.stream("Hello", max_tokens=30)
    seen: list[int] = []
    readers = [
        threading.Thread(target=lambda: seen.extend(e.index for e in stream), daemon=True)
        for _ in range(3)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(20)
    assert not any(reader.is_alive() for reader in readers)
    assert sorted(seen) == list(range(30))


def test_two_tasks_of_one_async_stream_share_it_and_both_end(engine: Engine) -> None:
    async def run() -> list[int]:
        stream = engine.astream("Hello", max_tokens=30)

        async def read() -> list[int]:
            return [event.index async for event in stream]

        halves = await asyncio.wait_for(asyncio.gather(read(), read()), 20)
        return sorted(index for half in halves for index in half)

    assert asyncio.run(run()) == list(range(30))


def test_an_async_stream_that_is_closed_while_it_starts_does_not_run(engine: Engine) -> None:
    async def run() -> Any:
        stream = engine.astream("Hello", max_tokens=400)
        starting = asyncio.create_task(stream.start())
        await asyncio.sleep(0)
        stream.close()
        await starting
        while not stream._collector.is_done:
            await asyncio.sleep(0.001)
        return stream.result

    result = asyncio.run(run())
    assert result.finish_reason == "cancelled"
    assert len(result.token_ids) < 50


def test_a_broken_off_async_stream_has_a_result(engine: Engine) -> None:
    async def run() -> Any:
        async with engine.astream("Hello", max_tokens=400) as stream:
            async for event in stream:
                if event.index == 3:
                    break
        return stream.result

    assert asyncio.run(run()).finish_reason == "cancelled"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_stream_does_not_survive_a_fork(engine: Engine) -> None:
    with engine.stream("Hello", max_tokens=50) as stream:
        next(stream)
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            told = 0
            for call in (lambda: next(stream), lambda: stream.result, lambda: stream.set(alpha=1)):
                try:
                    call()
                except EngineClosed:
                    told += 1
            os._exit(told)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


def test_set_during_a_long_prompt_begins_with_the_first_token(trio: Path) -> None:
    with open_trio(trio, prefill_chunk=2) as engine:
        stream = engine.stream(list(range(10, 400)), max_tokens=4, alpha=0.0)
        while stream._sequence.computed["base"] < 4:
            pass
        assert stream.set(alpha=1.5) == 0
        assert {event.mixture.alpha for event in stream if event.mixture} == {1.5}


def test_a_batch_of_one_waits_for_room(trio: Path) -> None:
    with open_trio(trio, max_slots=1, max_queue=0) as engine:
        busy = engine.stream("Hello", max_tokens=60)
        (row,) = engine.generate(["Hello"], max_tokens=2)
        assert len(row.token_ids) == 2
        assert busy.result.finish_reason == "length"


def test_a_long_prompt_is_not_starved_by_those_that_come_later() -> None:
    core = scripted_core({"base": counting}, size=8, max_slots=3)
    done: list[Any] = []
    core.scheduler.waiting.append(scripted_sequence([0], 1, lambda _item: None))
    core.scheduler.waiting.append(scripted_sequence([0] * 300, 1, done.append))
    for _ in range(12):  # 300 tokens at 64 a step, whoever else arrives
        core.scheduler.waiting.append(scripted_sequence([0] * 64, 1, lambda _item: None))
        core.step()
    assert done


def test_a_stop_string_that_is_a_control_token_stops(engine: Engine, tokenizer: Any) -> None:
    (end,) = tokenizer.encode("<|im_start|>")
    g = engine.generate("Hello", logit_bias={end: 500.0}, stop="<|im_start|>", max_tokens=5)
    assert (g.finish_reason, g.text, g.token_ids) == ("stop", "", (end,))


@pytest.mark.parametrize("stop", ["<|im_end|>\n", "\n<|im_start|>assistant"])
def test_a_stop_string_that_can_never_be_met_is_refused(engine: Engine, stop: str) -> None:
    with pytest.raises(InvalidRequest, match=r"can never be met: it holds '<\|im_\w+\|>'"):
        engine.generate("Hello", stop=["x", stop], max_tokens=5)


def test_a_timeout_counts_from_submission(engine: Engine) -> None:
    rows = engine.generate(["Hello"] * 40, max_tokens=2, timeout=30.0, choice=["a", "b"])
    assert {row.finish_reason for row in rows} <= {"stop", "length"}


def test_a_score_of_nan_logits_is_refused_like_a_generation() -> None:
    core = scripted_core({"base": lambda _row: torch.full((8,), torch.nan)}, size=8)
    items: list[Any] = []
    core.scheduler.waiting.append(scripted_sequence([1], 1, items.append, continuation=(2, 3)))
    while core.step():
        pass
    assert isinstance(items[-1], StepFailed)
