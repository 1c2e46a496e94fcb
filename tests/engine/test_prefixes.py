"""What a prompt shares with earlier texts is not computed again, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from eft_integrations import Engine, InvalidRequest
from eft_integrations.engine.prefixes import MAX_TEXTS, MIN_LEN, Part, Prefixes, shared_len
from eft_integrations.engine.scripted import ScriptedRows, scripted_core
from tests import reference
from tests.conftest import ROLES, open_trio
from tests.engine.test_isolation import mixed_sequence

HEAD = list(range(100, 160))
LONG = 60


@pytest.fixture
def engine(trio: Path) -> Iterator[Engine]:
    with open_trio(trio) as opened:
        yield opened


@pytest.fixture(scope="module")
def slow_engine(trio: Path) -> Iterator[Engine]:
    """It keeps nothing."""
    with open_trio(trio, prefix_memory=0) as opened:
        yield opened


def reused(generation: Any) -> dict[str, int]:
    return {role: generation.stats[role].reused for role in ROLES}


def test_the_second_turn_computes_what_is_new(engine: Engine, models: dict[str, Any]) -> None:
    first = engine.generate(HEAD, max_tokens=12)
    second_turn = [*HEAD, *first.token_ids, 7, 8, 9]
    second = engine.generate(second_turn, max_tokens=12)
    # The last token of the first answer was written and never read.
    assert reused(second) == dict.fromkeys(ROLES, len(HEAD) + 11)
    slow = reference.generate(
        models,
        dict.fromkeys(ROLES, second_turn),
        reference.up_scaling(1.0),
        max_tokens=12,
        size=engine.vocab_size,
    )
    assert list(second.token_ids) == slow.token_ids
    assert engine.stats().members["base"].reused == len(HEAD) + 11


@pytest.mark.parametrize("speculation", ["off", 3])
def test_a_beginning_serves_other_coefficients_and_refused_drafts_are_not_in_it(
    engine: Engine, slow_engine: Engine, speculation: Any
) -> None:
    for alpha in (1.0, 0.0, -0.5, 2.0):
        prompt = [*HEAD, *range(5)]
        options: dict[str, Any] = {"alpha": alpha, "max_tokens": 9, "speculation": speculation}
        one = engine.generate(prompt, **options)
        assert one.token_ids == slow_engine.generate(prompt, **options).token_ids
        again = engine.generate([*prompt, *one.token_ids], **options)
        assert min(reused(again).values()) > LONG or alpha == 0.0
        plain = slow_engine.generate([*prompt, *one.token_ids], **options)
        assert again.token_ids == plain.token_ids
        assert not any(reused(plain).values())


def test_each_role_has_its_own_beginning(engine: Engine, slow_engine: Engine) -> None:
    prompts = {"base": HEAD, "tuned": HEAD[:40], "reference": [9, *HEAD]}
    engine.generate(prompts, max_tokens=2)
    longer = {role: [*ids, 3, 4] for role, ids in prompts.items()}
    found = engine.generate(longer, max_tokens=8)
    assert reused(found) == {"base": 60, "tuned": 40, "reference": 61}
    assert found.token_ids == slow_engine.generate(longer, max_tokens=8).token_ids


def test_the_same_prompt_computes_its_last_token_only(engine: Engine) -> None:
    first = engine.generate(HEAD, max_tokens=5)
    again = engine.generate(HEAD, max_tokens=5)
    assert reused(again) == dict.fromkeys(ROLES, len(HEAD) - 1)
    assert again.token_ids == first.token_ids


def test_a_score_begins_like_any_text(engine: Engine, slow_engine: Engine) -> None:
    engine.generate(HEAD, max_tokens=3)
    fast, slow = (e.score(HEAD, [1, 2, 3, 4]) for e in (engine, slow_engine))
    assert fast.logprobs == pytest.approx(slow.logprobs, abs=1e-5)
    # And what was scored is a beginning as well.
    assert reused(engine.generate([*HEAD, 1, 2, 3, 4, 5], max_tokens=2))["base"] == LONG + 3


def test_what_runs_serves_those_who_come_later() -> None:
    core = scripted_core(
        {role: lambda row: torch.eye(300)[len(row) % 300] for role in ROLES},
        size=300,
        prefix_bytes=10_000,
    )
    first, second = (
        mixed_sequence(dict.fromkeys(ROLES, range(100, 150)), num, lambda _item: None)
        for num in (30, 2)
    )
    core.scheduler.waiting.append(first)
    for _ in range(3):
        core.step()
    core.scheduler.waiting.append(second)
    core.step()
    assert not first.is_ended
    assert second.stats["base"].reused == 49
    while core.step():
        pass
    assert second.output == first.output[:2]


def test_a_text_that_failed_is_not_kept() -> None:
    def failing(row: list[int]) -> torch.Tensor:
        if len(row) == 55:
            return torch.full((300,), torch.nan)
        return torch.eye(300)[len(row) % 300]

    core = scripted_core(dict.fromkeys(ROLES, failing), size=300, prefix_bytes=10_000)
    items: list[Any] = []
    core.scheduler.waiting.append(
        mixed_sequence(dict.fromkeys(ROLES, range(100, 150)), 30, items.append)
    )
    while core.step():
        pass
    assert "nan" in str(items[-1])
    assert core.passes.prefixes.num_bytes == 0


def test_a_cancelled_text_is_kept_as_far_as_it_came(engine: Engine) -> None:
    with engine.stream(HEAD, max_tokens=400) as stream:
        begun = [next(stream).token_id for _ in range(3)]
    told = [token for token in begun[:2] if token is not None]
    again = engine.generate([*HEAD, *told, 5], max_tokens=2)
    assert reused(again)["base"] >= LONG + 2


def test_memory_stays_within_its_bounds(trio: Path, slow_engine: Engine) -> None:
    per_token = 2 * 2 * 2 * 16 * 4 * 3
    with open_trio(trio, kv_memory=2000 * per_token, prefix_memory=300 * per_token) as small:
        for n in range(30):
            prompt = [n, *range(1, 60)]
            told = small.generate(prompt, max_tokens=3)
            assert told.token_ids == slow_engine.generate(prompt, max_tokens=3).token_ids
            assert small._assembly.core.passes.prefixes.num_bytes <= 300 * per_token
            assert small.stats().kv_bytes <= 2000 * per_token
        assert reused(small.generate([29, *range(1, 60)], max_tokens=1))["base"] == 59
        assert reused(small.generate([2, *range(1, 60)], max_tokens=1))["base"] == 0


def test_more_for_the_kept_than_there_is_is_refused(trio: Path) -> None:
    with pytest.raises(InvalidRequest, match="beside 1000000 bytes of prefix_memory"):
        open_trio(trio, kv_memory=1_000_000, prefix_memory=1_000_000)


def text(*tokens: int) -> dict[str, Part]:
    return {"base": Part(tokens, ScriptedRows(tokens))}


def test_the_least_recently_used_text_leaves_first() -> None:
    prefixes = Prefixes(60)
    one, two, three = (tuple(range(start, start + 20)) for start in (0, 100, 200))
    for tokens in (one, two, three):
        prefixes.keep(text(*tokens))
    assert prefixes.num_bytes == 60
    found = prefixes.find("base", one)
    assert found is not None
    assert found.length == 20
    prefixes.keep(text(*range(300, 320)))
    assert prefixes.find("base", two) is None
    assert prefixes.find("base", one) is not None
    prefixes.keep(text(*range(400, 461)))
    assert prefixes.num_bytes == 60


def test_a_text_takes_the_place_of_its_own_beginning() -> None:
    prefixes = Prefixes(1000)
    prefixes.keep(text(*range(20)))
    prefixes.keep(text(*range(50)))
    assert prefixes.num_bytes == 50
    prefixes.keep(text(*range(20)))
    assert prefixes.num_bytes == 70


def test_short_beginnings_and_other_roles_are_not_found() -> None:
    prefixes = Prefixes(1000)
    prefixes.keep(text(*range(20)))
    assert prefixes.find("base", (*range(MIN_LEN - 1), 99)) is None
    assert prefixes.find("tuned", tuple(range(20))) is None
    prefixes.clear()
    assert prefixes.find("base", tuple(range(20))) is None


def test_many_texts_are_too_many() -> None:
    prefixes = Prefixes(10**6)
    for n in range(MAX_TEXTS + 5):
        prefixes.keep(text(*range(n, n + 20)))
    assert prefixes.num_bytes == 20 * MAX_TEXTS


@pytest.mark.parametrize(
    ("one", "other", "length"),
    [
        ((), (), 0),
        ((1,), (), 0),
        ((1, 2, 3), (1, 2, 4), 2),
        ((1, 2), (1, 2, 3), 2),
        ((2,), (1,), 0),
    ],
)
def test_the_shared_length_is_counted(
    one: tuple[int, ...], other: tuple[int, ...], length: int
) -> None:
    assert shared_len(one, other) == shared_len(other, one) == length
