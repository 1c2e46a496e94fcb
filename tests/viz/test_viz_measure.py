"""Who said a token: the shares, as theorems."""

import math
import random
from collections.abc import Mapping

import pytest

from eft_integrations.viz.measure import shares
from eft_integrations.viz.strip import Scale
from eft_integrations.viz.wording import factor, percent
from tests.viz.traces import CHANCES

PLAIN = {"base": 1.0, "tuned": 1.0, "reference": -1.0}


def of(chances: Mapping[str, float], coefficients: Mapping[str, float] = PLAIN) -> dict[str, float]:
    """The shares by probabilities: of ``mixture``, and of each role alone."""
    logs = {role: math.log(chance) for role, chance in chances.items()}
    return shares(logs.pop("mixture"), logs, coefficients)


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_a_division_of_one(seed: int) -> None:
    draw = random.Random(seed)
    logs = {role: -draw.expovariate(0.1) for role in ("base", "one", "two")}
    weights = {"base": draw.uniform(-1, 2), "one": draw.uniform(-1, 2), "two": 0.3}
    told = shares(-draw.expovariate(0.1), logs, weights)
    assert min(told.values()) >= 0
    assert sum(told.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("speaker", CHANCES)
def test_who_alone_finds_a_token_likely_has_said_it(speaker: str) -> None:
    told = of(CHANCES[speaker])
    assert max(told, key=lambda name: told[name]) == speaker
    assert told[speaker] > 0.95


def test_the_formulas_of_the_definition() -> None:
    told = of({"mixture": 0.8, "base": 0.4, "tuned": 0.1})
    expected = {"common": 1 / 8, "base": 3 / 8, "tuned": 0, "mixture": 4 / 8, "nobody": 0}
    assert told == pytest.approx(expected)


def test_below_one_per_cent_nobody_takes_over_gradually() -> None:
    told = of({"mixture": 0.005, "base": 0.005, "tuned": 0.0025})
    assert told["nobody"] == pytest.approx(0.5)
    assert told["base"] == pytest.approx(told["common"]) == pytest.approx(0.25)


@pytest.mark.parametrize("coefficient", [0.0, -1.0])
def test_a_role_that_is_not_listened_to_has_no_share(coefficient: float) -> None:
    told = of({"mixture": 0.9, "base": 0.9, "tuned": 0.9}, {"base": 1.0, "tuned": coefficient})
    assert told == pytest.approx({"common": 0, "base": 1, "mixture": 0, "nobody": 0})


def test_several_tuned_members_divide_what_they_said() -> None:
    weights = {"base": 1.0, "one": 0.6, "two": 0.3}
    told = of({"mixture": 0.8, "base": 0.2, "one": 0.8, "two": 0.8}, weights)
    assert told["one"] == pytest.approx(2 * told["two"]) == pytest.approx(0.5)


def test_probabilities_beyond_floats_are_no_trouble() -> None:
    told = shares(-math.inf, {"base": -10_000.0, "tuned": -9_000.0}, PLAIN)
    assert told["nobody"] == 1.0


@pytest.mark.parametrize(
    ("logprob", "told"),
    [
        (0.0, "100 %"),
        (math.log(0.997), "99.7 %"),
        (math.log(0.83), "83 %"),
        (math.log(0.021), "2.1 %"),
        (math.log(0.0004), "0.04 %"),
        (-16.0, "10⁻⁷"),
        (-math.inf, "0"),
    ],
)
def test_probabilities_are_told_shortly(logprob: float, told: str) -> None:
    assert percent(logprob) == told


@pytest.mark.parametrize(
    ("shift", "told"),
    [
        (0.0, "×1.0"),
        (-0.01, "×1.0"),
        (math.log(19), "×19"),
        (-math.log(3.2), "÷3.2"),
        (math.log(1e6), "×10⁶"),
        (-math.inf, "÷∞"),
    ],
)
def test_shifts_are_told_as_factors(shift: float, told: str) -> None:
    assert factor(shift) == told


@pytest.mark.parametrize("shifts", [[], [0.0], [50.0, -0.1], [-3.0], [-math.inf, 1e4]])
def test_bars_stay_in_the_strip_and_stand_on_the_line_of_the_base(shifts: list[float]) -> None:
    scale = Scale.of(shifts)
    one = next(line.top for line in scale.lines if line.label == "×1")
    assert all(0 <= line.top <= 100 for line in scale.lines)
    for shift in shifts:
        top, height = scale.top(shift), scale.height(shift)
        assert 0 <= top <= top + height <= 100 + 1e-9
        assert (top if shift < 0 else top + height) == pytest.approx(one)
