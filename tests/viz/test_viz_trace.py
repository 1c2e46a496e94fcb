"""A trace of an answer: exact where the engine is exact."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import EFTError, Engine, Mixture, Plausibility, Sampling, viz
from eft_integrations.errors import InvalidRequest, UnknownOption
from tests.conftest import open_trio

PROMPT = "Who said this?"
QUESTION = "<|im_start|>user\nWhat is the capital of Italy?<|im_end|>\n<|im_start|>assistant\n"
MIXTURES: dict[str, dict[str, Any]] = {
    "alpha": {"alpha": 0.7},
    "beta": {"beta": 1.4},
    "weights": {"weights": {"base": 0.5, "tuned": 0.9, "reference": -0.2}},
    "filter": {"alpha": 1.2, "filter_top_p": 0.8},
    "mask": {"alpha": 1.0, "mask": Plausibility(min_ratio=0.1)},
}


@pytest.mark.parametrize("form", MIXTURES)
def test_a_trace_tells_what_generate_and_score_tell(engine: Engine, form: str) -> None:
    told = viz.trace(engine, PROMPT, max_tokens=12, **MIXTURES[form])
    answer = engine.generate(PROMPT, max_tokens=12, logprobs=True, **MIXTURES[form])
    score = engine.score(PROMPT, answer.token_ids, **MIXTURES[form])
    assert tuple(token.token_id for token in told.tokens) == answer.token_ids
    assert [t.logprob for t in told.tokens] == pytest.approx(answer.logprobs, abs=1e-4)
    for role, values in score.by_member.items():
        assert [t.by_role[role] for t in told.tokens] == pytest.approx(values, abs=1e-4)
        assert told.totals[role] == pytest.approx(sum(values), abs=1e-3)


@pytest.mark.parametrize("form", MIXTURES)
def test_contributions_sum_to_the_log_probability(engine: Engine, form: str) -> None:
    for token in viz.trace(engine, PROMPT, max_tokens=8, **MIXTURES[form]).tokens:
        assert sum(token.contributions.values()) == pytest.approx(token.logprob, abs=1e-3)
        assert sum(token.shares.values()) == pytest.approx(1.0)


def test_the_shift_is_what_tuning_added_and_the_normaliser(engine: Engine) -> None:
    for token in viz.trace(engine, PROMPT, max_tokens=8, alpha=0.7).tokens:
        added = 0.7 * (token.by_role["tuned"] - token.by_role["reference"])
        assert token.shift == pytest.approx(added + token.contributions["normaliser"], abs=1e-3)


def test_at_alpha_zero_the_base_says_all_that_anybody_says(engine: Engine) -> None:
    told = viz.trace(engine, PROMPT, max_tokens=12, alpha=0.0)
    assert {token.speaker for token in told.tokens} <= {"base", "nobody"}
    assert all(token.shift == pytest.approx(0.0, abs=1e-5) for token in told.tokens)


@pytest.mark.parametrize("seed", range(6))
def test_the_pieces_join_to_the_text_with_half_characters_and_stops(
    engine: Engine, seed: int
) -> None:
    # hot random members write bytes that make no character
    sampling = Sampling(temperature=1.5, seed=seed, max_tokens=60, stop=["a"] if seed % 2 else None)
    told = viz.trace(engine, PROMPT, sampling=sampling)
    assert told.text == engine.generate(PROMPT, sampling=sampling).text
    assert "".join(token.text for token in told.tokens) == told.text
    assert all(token.label and "\n" not in token.label for token in told.tokens)


def test_the_answer_given_back_has_the_same_trace(engine: Engine) -> None:
    told = viz.trace(engine, PROMPT, max_tokens=10, filter_top_p=0.9, alpha=1.0)
    ids = [token.token_id for token in told.tokens]
    again = viz.trace(engine, PROMPT, ids, filter_top_p=0.9, alpha=1.0)
    assert again.is_given
    assert again.text == told.text
    for one, two in zip(told.tokens, again.tokens, strict=True):
        assert one.label == two.label
        assert one.shares == pytest.approx(two.shares, abs=1e-3)
        assert one.contributions == pytest.approx(two.contributions, abs=1e-3)
        assert [a.token_id for a in one.alternatives] == [a.token_id for a in two.alternatives]


def test_a_given_text_stays_as_it_is_with_its_control_tokens_as_letters(engine: Engine) -> None:
    text = 'Sure: "日本" é 🎈\n\t<|im_end|> and on'
    told = viz.trace(engine, PROMPT, text)
    assert told.text == "".join(token.text for token in told.tokens) == text
    assert not any(token.is_control for token in told.tokens)


def test_top_logprobs_is_the_number_of_alternatives(engine: Engine) -> None:
    for number in (0, 3):
        told = viz.trace(engine, PROMPT, "Yes", top_logprobs=number)
        assert {len(token.alternatives) for token in told.tokens} == {number}
    assert len(viz.trace(engine, PROMPT, "Yes").tokens[0].alternatives) == 5


def test_instead_is_the_likeliest_token_that_was_not_said(engine: Engine) -> None:
    for token in viz.trace(engine, PROMPT, max_tokens=4).tokens:
        assert token.alternatives[0].token_id == token.token_id
        assert token.instead == token.alternatives[1]


def test_most_apart_puts_first_what_a_voice_finds_strangest(engine: Engine) -> None:
    told = viz.trace(engine, PROMPT, max_tokens=12)
    distances = [
        max(abs(t.logprob - t.by_role[role]) for role in ("base", "tuned"))
        for t in told.most_apart(5)
    ]
    assert len(distances) == 5
    assert distances == sorted(distances, reverse=True)


def test_a_grammar_against_a_mask_is_told_as_impossible(engine: Engine) -> None:
    mask = Plausibility(min_ratio=1.0)
    told = viz.trace(engine, PROMPT, mask=mask, regex="[0-9]{3}", max_tokens=8)
    assert any(token.shift == -float("inf") for token in told.tokens)
    assert "−∞" in viz.html(told)


def test_the_twin_for_asyncio_tells_the_same(engine: Engine) -> None:
    told = viz.trace(engine, PROMPT, max_tokens=6)
    assert asyncio.run(viz.atrace(engine, PROMPT, max_tokens=6)) == told


@pytest.fixture(scope="module")
def family() -> Iterator[Engine]:
    with Engine.tiny() as opened:
        yield opened


def test_the_family_shows_manner_and_what_is_common(family: Engine) -> None:
    told = viz.trace(family, QUESTION)
    assert told.tokens[0].speaker == "tuned"
    assert told.tokens[0].shift > 1
    assert {"base", "common"} & {token.speaker for token in told.tokens}
    assert told.tokens[-1].is_control
    assert told.tokens[-1].label == "<|im_end|>"


def test_tokens_behind_an_end_token_are_refused(family: Engine) -> None:
    ids = family.encoder.encode("Yes<|im_end|>", special=False)
    assert viz.trace(family, QUESTION, ids).tokens[-1].is_control
    with pytest.raises(InvalidRequest, match=f"2 tokens behind its end token at {len(ids) - 1}"):
        viz.trace(family, QUESTION, [*ids, 11, 12])


def test_several_tuned_members_speak_under_their_names(trio: Path) -> None:
    tuned = {"one": trio / "tuned", "two": trio / "reference"}
    with open_trio(trio, tuned=tuned) as several:
        told = viz.trace(several, PROMPT, alpha={"one": 1.0}, max_tokens=6)
    assert told.speakers == ("common", "base", "one", "two", "mixture", "nobody")
    assert told.shares["two"] == 0.0
    assert told.shares["one"] > 0.0


BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "several": (None, {"n": 2}, "unknown option 'n'"),
    "several inside": (None, {"sampling": Sampling(n=2)}, "n=2"),
    "typo": (None, {"alhpa": 1.0}, "did you mean 'alpha'"),
    "no tokens": ("", {}, "has no tokens"),
    "no ids": ([-1], {}, "answer"),
    "no such id": ([10**6], {}, "below .* the vocabulary's size, got 1000000"),
    "sampled": ("Yes", {"temperature": 1.0}, "temperature shapes"),
    "two mixtures": (None, {"mixture": Mixture(alpha=1.0), "beta": 1.0}, "exclude each other"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_obeyed_is_refused_in_one_line(engine: Engine, case: str) -> None:
    answer, options, reason = BAD[case]
    with pytest.raises((InvalidRequest, UnknownOption), match=reason) as caught:
        viz.trace(engine, PROMPT, answer, **options)
    assert "\n" not in str(caught.value)


def test_a_list_of_prompts_is_refused(engine: Engine) -> None:
    prompts: Any = [PROMPT, PROMPT]
    with pytest.raises(EFTError, match="one prompt"):
        viz.trace(engine, prompts)


def test_a_member_called_like_a_speaker_is_refused(trio: Path) -> None:
    with (
        open_trio(trio, tuned={"nobody": trio / "tuned"}) as confusing,
        pytest.raises(InvalidRequest, match="name the member anew"),
    ):
        viz.trace(confusing, PROMPT)
