"""The line-up: nothing asked is missing, nothing is answered twice."""

import pytest

from eft_integrations.errors import InvalidRequest
from eft_integrations.evaluation.voices import Coefficients, line_up
from eft_integrations.mixture import Mixture, Roles

ONE = Roles(
    tuned=("tuned",),
    reference_of={"tuned": "reference"},
    available=("base", "tuned", "reference"),
)
TWO = Roles(
    tuned=("helpful", "harmless"),
    reference_of={"helpful": "reference", "harmless": "reference"},
    available=("base", "helpful", "harmless", "reference"),
)


def labels(roles: Roles, has_ceiling: bool = False, **asked: tuple[float, ...]) -> list[str]:
    lineup = line_up(roles, Coefficients(**asked), has_ceiling=has_ceiling)
    return [voice.label for voice in lineup.voices]


def test_by_default_a_trio_is_tuned_base_three_alphas_and_the_ceiling() -> None:
    expected = ["tuned", "base", "alpha 0.5", "alpha 1", "alpha 1.5", "ceiling"]
    assert labels(ONE, has_ceiling=True) == expected


def test_alpha_0_is_the_base_and_repeats_count_once() -> None:
    assert labels(ONE, alphas=(0.0, 1.0, 1.0)) == ["tuned", "base", "alpha 1"]


def test_filters_cross_with_every_coefficient() -> None:
    found = labels(ONE, alphas=(1.0, 2.0), betas=(1.5,), filters=(0.9,))
    assert found[2:] == [
        "alpha 1",
        "alpha 2",
        "alpha 1, top-p 0.9",
        "alpha 2, top-p 0.9",
        "beta 1.5",
        "beta 1.5, top-p 0.9",
    ]


def test_two_tuned_members_have_a_frontier_that_shares_the_grids_answers() -> None:
    lineup = line_up(TWO, Coefficients(alphas=(1.0,)), has_ceiling=False)
    assert lineup.frontier == {
        0.0: "lambda 0",
        0.25: "lambda 0.25",
        0.5: "lambda 0.5",
        0.75: "lambda 0.75",
        1.0: "alpha 1",
    }
    mixtures = {voice.label: voice.mixture for voice in lineup.voices}
    assert mixtures["lambda 0.25"] == Mixture(alpha={"helpful": 0.25, "harmless": 0.75})
    assert mixtures["lambda 0"] == Mixture(alpha={"harmless": 1.0})
    assert mixtures["alpha 1"] == Mixture(alpha={"helpful": 1.0})
    assert [voice.label for voice in lineup.voices[:3]] == ["helpful", "harmless", "base"]


def test_one_or_three_tuned_members_have_no_frontier() -> None:
    three = Roles(
        tuned=("a", "b", "c"),
        reference_of=dict.fromkeys("abc", "reference"),
        available=("base", "a", "b", "c", "reference"),
    )
    assert not line_up(ONE, Coefficients(), has_ceiling=False).frontier
    assert not line_up(three, Coefficients(), has_ceiling=False).frontier


def test_a_lambda_for_one_tuned_member_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="lambda weighs two tuned members, got 1"):
        line_up(ONE, Coefficients(lambdas=(0.5,)), has_ceiling=False)


def test_a_lambda_outside_its_range_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="lambda must be at least 0"):
        line_up(TWO, Coefficients(lambdas=(1.5,)), has_ceiling=False)


def test_the_drafter_is_measured_with_the_plain_alpha_nearest_1() -> None:
    asked = Coefficients(alphas=(0.5, 1.2), filters=(0.9,))
    drafted = line_up(ONE, asked, has_ceiling=False).drafted
    assert drafted is not None
    assert drafted.label == "alpha 1.2"
    assert line_up(ONE, Coefficients(alphas=()), has_ceiling=False).drafted is None


def test_voices_that_would_share_a_name_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="2 voices would be called 'alpha"):
        line_up(ONE, Coefficients(alphas=(0.5, 0.50000001)), has_ceiling=False)


def test_a_base_alone_is_refused() -> None:
    alone = Roles(tuned=("tuned",), reference_of={"tuned": "reference"}, available=("base",))
    with pytest.raises(InvalidRequest, match="needs base, tuned and reference, got only base"):
        line_up(alone, Coefficients(), has_ceiling=False)
