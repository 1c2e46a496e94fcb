"""Speculation changes the speed and never the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from eft_integrations import (
    Engine,
    InvalidRequest,
    Mixture,
    PerRow,
    Plausibility,
    Sampling,
    StepFailed,
)
from eft_integrations.engine.drafting import Lookup, Track
from eft_integrations.engine.lengths import Bid, Costs, Scale, best_length
from eft_integrations.engine.pace import Pace
from eft_integrations.engine.scripted import scripted_core
from eft_integrations.engine.speculate import GRAMMAR, LOOKUP
from tests.conftest import llama, save_trio
from tests.engine.test_distribution import LOGITS, always, chi_square_fits, mixed_sequence, written

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
PROMPTS = ["The capital of France is", "One two three one two three one", "Hello", "a b c a b c a"]
LENGTHS = (1, 2, 4, 7, 16)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Iterator[Engine]:
    """A trio whose small members are near the base, so that drafts are sometimes kept."""
    folder = tmp_path_factory.mktemp("near")
    models = save_trio(
        folder, tokenizer, dict.fromkeys(("base", "tuned", "reference"), llama(tokenizer))
    )
    for seed, role in enumerate(("tuned", "reference")):
        torch.manual_seed(seed)
        with torch.no_grad():
            for mine, theirs in zip(
                models[role].parameters(), models["base"].parameters(), strict=True
            ):
                mine.copy_(theirs + 0.02 * torch.randn_like(theirs))
        models[role].save_pretrained(folder / role)
    names: dict[str, Any] = {role: str(folder / role) for role in ("base", "tuned", "reference")}
    with Engine.from_pretrained(**names, dtype="float32", max_slots=4) as opened:
        yield opened


OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "alpha": {"alpha": 1.7},
    "filter": {"alpha": 1.2, "filter_top_p": 0.8},
    "mask": {"alpha": 0.7, "mask": Plausibility(min_ratio=0.1)},
    "sampled": {"temperature": 1.0, "seed": 3},
    "hot": {"temperature": 1.6, "seed": 4, "top_p": 0.9, "top_k": 50},
    "penalties": {
        "temperature": 0.7,
        "seed": 5,
        "repetition_penalty": 1.3,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.4,
        "logit_bias": {7: 3.0},
    },
    "object": {"json_schema": SCHEMA},
    "sampled object": {"json_schema": SCHEMA, "temperature": 1.2, "seed": 6},
    "stop": {"stop": ["e"], "temperature": 1.0, "seed": 7},
    "tuned alone": {"weights": {"tuned": 1.0}},
    "base alone": {"alpha": 0.0},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_text_is_the_same_at_every_draft_length(engine: Engine, name: str) -> None:
    options: dict[str, Any] = {"max_tokens": 40, "logprobs": True, **OPTIONS[name]}
    plain = engine.generate(PROMPTS, **options, speculation="off")
    for length in LENGTHS:
        drafted = engine.generate(PROMPTS, **options, speculation=length)
        for one, other in zip(plain, drafted, strict=True):
            assert (other.token_ids, other.text) == (one.token_ids, one.text)
            assert other.finish_reason == one.finish_reason
            assert other.logprobs == pytest.approx(one.logprobs, abs=1e-3)


def test_drafts_are_made_kept_and_refused(engine: Engine) -> None:
    stats = engine.generate(PROMPTS[0], max_tokens=60, speculation=4).stats["tuned"]
    assert 0 < stats.accepted < stats.drafted
    passes = engine.generate(PROMPTS[0], max_tokens=60, speculation=4).stats["base"].passes
    assert passes < 60


def test_rows_of_a_batch_draft_each_in_its_own_way(engine: Engine) -> None:
    ways = PerRow(["off", 1, 5, "auto"])
    alphas, seeds = PerRow([0.3, 1.0, 1.4, 0.0]), PerRow([1, 2, 3, 4])
    options: dict[str, Any] = {"max_tokens": 50, "alpha": alphas, "temperature": 0.8, "seed": seeds}
    plain = engine.generate(PROMPTS, **options, speculation="off")
    mixed = engine.generate(PROMPTS, **options, speculation=ways)
    assert [one.token_ids for one in mixed] == [one.token_ids for one in plain]


def test_members_with_prompts_of_their_own_draft_too(engine: Engine) -> None:
    prompt = {"base": [5, 6, 7, 8, 9], "tuned": [5, 6], "reference": [9] * 11}
    plain, drafted = (engine.generate(prompt, max_tokens=30, speculation=way) for way in ("off", 5))
    assert drafted.token_ids == plain.token_ids


def test_contributions_are_those_of_the_plain_run(engine: Engine) -> None:
    plain, drafted = (
        engine.generate(PROMPTS[0], max_tokens=20, contributions=True, speculation=way)
        for way in ("off", 4)
    )
    assert plain.contributions is not None
    assert drafted.contributions is not None
    for one, other in zip(plain.contributions, drafted.contributions, strict=True):
        assert other == pytest.approx(one, abs=1e-3)


def test_what_the_text_said_before_is_drafted_from_it(engine: Engine) -> None:
    ids = engine.tokenizer().encode("x y z x y z x y z x y z x y")
    bias = dict.fromkeys(set(ids), 30.0)
    common: dict[str, Any] = {"alpha": 0.0, "max_tokens": 40, "logit_bias": bias}
    plain = engine.generate(ids, **common, speculation="off")
    drafted = engine.generate(ids, **common, speculation=6)
    assert drafted.token_ids == plain.token_ids
    assert drafted.stats[LOOKUP].drafted > 0


def test_what_a_grammar_forces_is_fed_as_one_block(engine: Engine) -> None:
    common: dict[str, Any] = {
        "regex": "The quick brown fox jumps over the lazy dog [a-c]",
        "max_tokens": 60,
    }
    plain = engine.generate("Say:", **common, speculation="off")
    for _ in range(4):  # until the passes are timed
        drafted = engine.generate("Say:", **common)
    assert drafted.text == plain.text
    assert drafted.stats[GRAMMAR].accepted > 0
    assert drafted.stats["base"].passes < plain.stats["base"].passes


def test_a_mixture_set_midway_holds_from_the_index_that_was_told(engine: Engine) -> None:
    """The tokens are those of one run with the old mixture and one that goes on with the new."""
    with engine.stream(PROMPTS[0], alpha=1.0, max_tokens=40, speculation=6) as stream:
        start = None
        for event in stream:
            if event.index == 5:
                start = stream.set(alpha=-2.0)
        ids = stream.result.token_ids
    assert start is not None
    assert start > 5
    prompt = engine.encoder.encode(PROMPTS[0], special=True)
    before = engine.generate(list(prompt), alpha=1.0, max_tokens=start, speculation="off")
    assert ids[:start] == before.token_ids
    after = engine.generate(
        [*prompt, *ids[:start]], alpha=-2.0, max_tokens=40 - start, speculation="off"
    )
    assert ids[start:] == after.token_ids


def test_a_member_without_a_say_is_not_run_and_catches_up(engine: Engine) -> None:
    alone = engine.generate(PROMPTS[0], alpha=0.0, max_tokens=10)
    assert (alone.stats["base"].passes, alone.stats["tuned"].passes) != (0, 0)
    assert alone.stats["tuned"].passes == alone.stats["reference"].passes == 0
    with engine.stream(PROMPTS[0], alpha=0.0, max_tokens=20, speculation="off") as stream:
        for event in stream:
            if event.index == 4:
                start = stream.set(alpha=1.5)
        result = stream.result
    prompt = engine.encoder.encode(PROMPTS[0], special=True)
    after = engine.generate(
        [*prompt, *result.token_ids[:start]], alpha=1.5, max_tokens=20 - start, speculation="off"
    )
    assert result.token_ids[start:] == after.token_ids
    assert result.stats["tuned"].passes == 20 - start


@pytest.mark.parametrize("length", [0, 1, 3, 8])
@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.5])
def test_frequencies_are_those_of_the_mixture_at_every_draft_length(
    length: int, temperature: float
) -> None:
    sampling = Sampling(temperature=temperature, seed=9, max_tokens=3000, speculation=length)
    core = scripted_core(
        {role: always(logits) for role, logits in LOGITS.items()}, size=6, drafters=["tuned"]
    )
    tokens, stats = written(core, Mixture(alpha=0.7), sampling)
    assert chi_square_fits(tokens, Mixture(alpha=0.7), sampling)
    assert (stats["tuned"].drafted > 0) == (length > 0)


def test_a_draft_that_no_one_keeps_costs_speed_only() -> None:
    def opposite(row: list[int]) -> Tensor:
        logits = torch.zeros(8)
        logits[(row[-1] + 5) % 8] = 40.0
        return logits

    def base(row: list[int]) -> Tensor:
        logits = torch.zeros(8)
        logits[(row[-1] + 1) % 8] = 90.0
        return logits

    core = scripted_core(
        {"base": base, "tuned": opposite, "reference": always(torch.zeros(8))},
        size=8,
        drafters=["tuned"],
    )
    tokens, stats = written(
        core, Mixture(alpha=1.0), Sampling(max_tokens=12, seed=0, speculation=3)
    )
    assert tokens == [(1 + i) % 8 for i in range(12)]
    assert stats["tuned"].accepted == 0


def test_a_drafter_that_turns_nan_midway_fails_no_neighbour() -> None:
    """Its row fails where the mixture comes to the place, and not before."""

    def tuned(row: list[int]) -> Tensor:
        return torch.full((6,), torch.nan) if row[0] == 5 and len(row) > 4 else LOGITS["tuned"]

    scripts = {role: always(logits) for role, logits in LOGITS.items()} | {"tuned": tuned}
    core = scripted_core(scripts, size=6, drafters=["tuned"])
    sampling = Sampling(temperature=1.0, seed=1, max_tokens=8, speculation=3)
    good: list[Any] = []
    bad: list[Any] = []
    for prompt, items in (((0,), good), ((5,), bad)):
        core.scheduler.waiting.append(
            mixed_sequence(Mixture(alpha=1.0), sampling, items.append, prompt)
        )
    while core.step():
        pass
    assert [item.token_id is not None for item in bad[:-1]] == [True] * 4
    assert isinstance(bad[-1], StepFailed)
    assert good[-1].finish_reason == "length"


def test_acceptance_is_remembered_the_recent_more() -> None:
    track = Track(0.9)
    assert track.chance(0.8) == pytest.approx(0.8)
    for _ in range(40):
        track.note(0, was_refused=True)
    assert track.chance(0.8) < 0.2
    for _ in range(40):
        track.note(4, was_refused=False)
    assert track.chance(0.8) > 0.9


def test_lookup_proposes_what_followed_the_last_time() -> None:
    lookup = Lookup([1, 2, 3, 4, 5, 1, 2, 3])
    assert lookup.proposal(3) == [4, 5, 1]
    lookup.extend([9])
    assert lookup.proposal(3) == []
    lookup.extend([1, 2, 3])
    assert lookup.proposal(2) == [9, 1]


def test_a_time_is_known_after_some_passes_and_lies_on_a_line_between_two_sizes() -> None:
    pace = Pace()
    assert pace.seconds(1) is None
    for seconds in (9.0, 1.0, 1.0):
        pace.note(1, seconds)
    assert pace.seconds(1) == pace.seconds(5) == 1.0
    for seconds in (2.0, 2.0, 2.0):
        pace.note(5, seconds)
    assert [pace.seconds(num) for num in (1, 3, 5, 9)] == [1.0, 1.5, 2.0, 3.0]
    for seconds in (1.5, 1.5, 1.5):
        pace.note(8, seconds)  # faster than a smaller one; a larger one is taken to be no faster
    assert [pace.seconds(num) for num in (5, 8, 16)] == [2.0, 1.5, 1.5]


def paces(**seconds: tuple[float, float]) -> dict[str, Pace]:
    """By role: of a token, and of each token more."""
    out = {}
    for role, (first, more) in seconds.items():
        out[role] = Pace()
        for num in (1, 1, 1, 96, 96, 96):
            out[role].note(num, first + more * (num - 1))
    return out


def writing(chance: float, limit: int = 16) -> Bid:
    return Bid(roles={"base", "tuned"}, limit=limit, chance=chance, writer="tuned")


def test_a_step_costs_the_drafters_passes_and_one_pass_that_checks() -> None:
    costs = Costs(paces(base=(10.0, 0.5), tuned=(1.0, 0.0)))
    assert costs.step([writing(0.9)], 0) == pytest.approx(11.0)
    assert costs.step([writing(0.9)], 3) == pytest.approx(10.0 + 1.5 + 4 * 1.0)
    # A row without a draft: padded to four columns, or a pass of its own.
    plain = Bid(roles={"base"})
    assert costs.step([writing(0.9), plain], 3) == pytest.approx(10.0 + 7 * 0.5 + 4 * 1.0)


def test_rows_agree_on_the_length_that_gives_most_tokens_a_second() -> None:
    drafted, plain = Scale(), Scale()
    costs = Costs(paces(base=(10.0, 0.1), tuned=(1.0, 0.0)))
    lengths = [
        best_length([writing(chance)], costs, drafted=drafted, plain=plain)
        for chance in (0.0, 0.5, 0.9, 1.0)
    ]
    assert lengths[0] == 0 < lengths[1] < lengths[2] < lengths[3] == 16
    # Where each token more costs what a token gives, nothing pays.
    dear = Costs(paces(base=(1.0, 1.0), tuned=(0.5, 0.5)))
    assert best_length([writing(0.9)] * 8, dear, drafted=drafted, plain=plain) == 0


def test_what_drafts_cost_beside_the_passes_counts() -> None:
    costs = Costs(paces(base=(2.0, 0.0), tuned=(1.0, 0.0)))
    drafted, plain = Scale(), Scale()
    assert best_length([writing(0.9)], costs, drafted=drafted, plain=plain) > 0
    for _ in range(3):
        drafted.note(1.0, 3.0)
    assert best_length([writing(0.9)], costs, drafted=drafted, plain=plain) == 0


@pytest.mark.parametrize("value", ["fast", -1, 17, 2.5, True])
def test_a_speculation_that_is_no_length_is_refused(engine: Engine, value: Any) -> None:
    with pytest.raises(InvalidRequest, match="speculation"):
        engine.generate("Hello", speculation=value)
