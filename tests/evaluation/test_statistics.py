"""Intervals against closed forms and simulation; gaps only where there is one."""

import numpy as np
import pytest

from eft_integrations.evaluation.statistics import gap_recovered, ratio, wilson


def flags(share: float, num: int) -> list[bool]:
    return [k < round(share * num) for k in range(num)]


def test_wilson_gives_the_interval_of_the_literature() -> None:
    share = wilson(flags(0.1, 10))  # 1 of 10: Newcombe 1998
    assert share is not None
    assert (share.value, share.num) == (0.1, 10)
    assert share.low == pytest.approx(0.0179, abs=1e-4)
    assert share.high == pytest.approx(0.4042, abs=1e-4)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_an_interval_holds_its_share_even_at_the_ends(share: float) -> None:
    found = wilson(flags(share, 20))
    assert found is not None
    assert 0 <= found.low <= share <= found.high <= 1
    assert found.high - found.low > 0.1


def test_no_items_have_no_share() -> None:
    assert wilson([]) is None
    assert ratio([], []) is None
    assert ratio([0], [0]) is None


def test_wilson_covers_the_truth_in_95_of_100_samples() -> None:
    random = np.random.default_rng(1)
    found = [wilson(list(random.random(80) < 0.3)) for _ in range(1000)]
    covered = sum(share is not None and share.low <= 0.3 <= share.high for share in found)
    assert 925 <= covered <= 975


def test_a_ratio_weighs_its_pairs_by_their_wholes() -> None:
    found = ratio([1, 9, 0], [1, 10, 0])
    assert found is not None
    assert found.value == pytest.approx(10 / 11)
    assert found.num == 2


@pytest.mark.parametrize("num", [1, 3, 300])
def test_a_ratio_of_pairs_that_are_alike_is_not_certain(num: int) -> None:
    found = ratio([2.0] * num, [4.0] * num)
    assert found is not None
    assert found.low < found.value == 0.5 < found.high
    all_of_it, score = ratio([1.0] * num, [1.0] * num), wilson([True] * num)
    assert all_of_it == score


def test_the_bootstrap_of_independent_flags_is_near_wilson() -> None:
    some = flags(0.4, 400)
    boot, score = ratio(some, [1] * 400), wilson(some)
    assert boot is not None
    assert score is not None
    assert boot.low == pytest.approx(score.low, abs=0.01)
    assert boot.high == pytest.approx(score.high, abs=0.01)


def test_tuned_recovers_nothing_and_the_ceiling_all() -> None:
    tuned, ceiling = flags(0.3, 200), flags(0.8, 200)
    nothing, everything = (gap_recovered(up, tuned, ceiling) for up in (tuned, ceiling))
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)
    assert (everything.value, everything.low, everything.high) == (1, 1, 1)


def test_half_of_the_gap_is_half() -> None:
    found = gap_recovered(flags(0.55, 400), flags(0.3, 400), flags(0.8, 400))
    assert found.value == pytest.approx(0.5)
    assert found.low is not None
    assert found.high is not None
    assert 0.4 < found.low < 0.5 < found.high < 0.6


def test_pairing_narrows_the_interval() -> None:
    random = np.random.default_rng(2)
    tuned, up, ceiling = flags(0.3, 300), flags(0.55, 300), flags(0.8, 300)
    paired = gap_recovered(up, tuned, ceiling)
    apart = gap_recovered(list(random.permutation(up)), list(random.permutation(tuned)), ceiling)
    widths = [r.high - r.low for r in (paired, apart) if r.high is not None and r.low is not None]
    assert widths[0] < widths[1]


@pytest.mark.parametrize(
    ("tuned", "ceiling", "num", "told"),
    [
        (0.5, 0.5, 100, "no clear gap"),
        (0.9, 1.0, 10, "no clear gap"),
        (0.5, 0.51, 2000, "gap too small"),
        (0.9, 0.1, 100, "the ceiling is worse"),
    ],
)
def test_without_a_gap_there_is_a_reason_and_no_number(
    tuned: float, ceiling: float, num: int, told: str
) -> None:
    found = gap_recovered(flags(0.7, num), flags(tuned, num), flags(ceiling, num))
    assert found.value is None
    assert found.reason is not None
    assert told in found.reason
    assert "points [" in found.reason


def test_the_same_items_give_the_same_interval() -> None:
    rows = flags(0.5, 50), flags(0.2, 50), flags(0.9, 50)
    assert gap_recovered(*rows) == gap_recovered(*rows)


@pytest.mark.parametrize("num", [1, 5, 20])
def test_items_that_come_out_alike_show_no_interval(num: int) -> None:
    found = gap_recovered([1.0] * num, [0.0] * num, [1.0] * num)
    assert (found.value, found.low) == (None, None)
    assert found.reason == f"no interval: {num} items came out alike; ask more"


def test_nothing_asked_nothing_recovered() -> None:
    assert gap_recovered([], [], []).reason == "no items"
