"""What is told of many rounds: the middle, and how far it may be off."""

from __future__ import annotations

from math import comb

import pytest

from eft_integrations.benchmark.figures import median_spread


@pytest.mark.parametrize("num", [6, 9, 36, 100])
def test_the_true_median_is_left_out_once_in_twenty_at_most(num: int) -> None:
    _, low, high = median_spread(range(num))
    outside = int(low)
    assert (low, high) == (outside, num - 1 - outside)
    missed = 2 * sum(comb(num, k) for k in range(outside + 1)) / 2**num
    assert missed <= 0.05 < missed + 2 * comb(num, outside + 1) / 2**num


def test_a_few_values_give_their_range() -> None:
    assert median_spread([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)


def test_rounds_in_which_the_machine_was_busy_move_nothing() -> None:
    calm = [float(value) for value in range(36)]
    assert median_spread([*calm[:-3], 900.0, 950.0, 990.0]) == median_spread(calm)
