"""Shares and gaps with 95 % intervals. Pure; every function is seeded and vectorised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

NUM_RESAMPLES = 10_000
SEED = 0
# A gap below two points is noise to divide by, however many items were asked.
MIN_GAP = 0.02
MAX_WITHOUT = 0.005  # share of resamples without a gap
ENOUGH_ALIKE = 30

_Z = 1.959964  # the normal quantile of a two-sided 95 % interval
_BLOCK = 2_000_000  # numbers drawn at once: 16 MB


@dataclass(frozen=True, kw_only=True)
class Share:
    """A mean over ``num`` items with its 95 % interval."""

    value: float
    low: float
    high: float
    num: int


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """The recovered part of a gap, 1 is all of it; None with the reason where there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    num: int
    reason: str | None = None


def wilson(flags: Sequence[bool]) -> Share | None:
    """The share of true flags with Wilson's score interval (Wilson 1927); None for no flags."""
    num = len(flags)
    if not num:
        return None
    share = sum(flags) / num
    low, high = _score_interval(share, num)
    return Share(value=share, low=low, high=high, num=num)


def _score_interval(share: float, num: int) -> tuple[float, float]:
    scale = 1 + _Z**2 / num
    middle = (share + _Z**2 / (2 * num)) / scale
    half = _Z * sqrt(share * (1 - share) / num + _Z**2 / (4 * num**2)) / scale
    return min(max(0.0, middle - half), share), max(min(1.0, middle + half), share)


def ratio(parts: Sequence[float], wholes: Sequence[float]) -> Share | None:
    """Σ parts / Σ wholes, its interval by a bootstrap over the pairs; None for no wholes.

    For tokens of answers: tokens of one answer are not independent, answers are. With wholes of
    1 it is a mean. Pairs that all have one quotient get Wilson's interval for as many items, for
    resampling them shows none.
    """
    table = np.array([parts, wholes], dtype=np.float64).T
    table = table[table[:, 1] > 0]
    if not len(table):
        return None
    value, num = float(table[:, 0].sum() / table[:, 1].sum()), len(table)
    if np.allclose(table[:, 0] / table[:, 1], value):
        low, high = _score_interval(value, num)
    else:
        sums = _resampled_means(table)
        low, high = _interval(sums[:, 0] / sums[:, 1])
    return Share(value=value, low=low, high=high, num=num)


def gap_recovered(
    up: Sequence[float], tuned: Sequence[float], ceiling: Sequence[float]
) -> Recovered:
    """(up − tuned) / (ceiling − tuned), of the means over the same items in the same order.

    The interval is a paired bootstrap over items. Where more than one in two hundred resamples
    have no gap, or the gap is below ``MIN_GAP`` of the scale from 0 to 1, there is nothing to
    recover; where fewer than ``ENOUGH_ALIKE`` items came out alike, resampling them shows none.
    """
    num = len(up)
    if not num:
        return Recovered(num=0, reason="no items")
    table = np.array([up, tuned, ceiling], dtype=np.float64).T
    means = _resampled_means(table)
    gaps = means[:, 2] - means[:, 1]
    gap = float(table[:, 2].mean() - table[:, 1].mean())
    reason = _reason(gap, gaps)
    if reason is None and num < ENOUGH_ALIKE and len(np.unique(table, axis=0)) == 1:
        reason = f"no interval: {num} items came out alike; ask more"
    if reason:
        return Recovered(num=num, reason=reason)
    value = float(table[:, 0].mean() - table[:, 1].mean()) / gap
    # Resamples without a gap (a few in a thousand at most, see above) have no quotient.
    has_gap = gaps > 0
    low, high = _interval((means[has_gap, 0] - means[has_gap, 1]) / gaps[has_gap])
    return Recovered(value=value, low=low, high=high, num=num)


def _reason(gap: float, gaps: Numbers) -> str | None:
    """Why a gap with these resamples cannot be divided by; None where it can."""
    low, high = _interval(gaps)
    spelled = f"{100 * gap:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]".replace("-", "−")
    if min(np.mean(gaps <= 0), np.mean(gaps >= 0)) > MAX_WITHOUT:
        return f"no clear gap: ceiling − tuned is {spelled}"
    if abs(gap) < MIN_GAP:
        return f"gap too small: ceiling − tuned is {spelled}"
    if gap < 0:
        return f"the ceiling is worse than tuned: ceiling − tuned is {spelled}"
    return None


def _resampled_means(table: Numbers) -> Numbers:
    """Means of the columns over resampled rows: [num, k] → [NUM_RESAMPLES, k].

    Graded items have few different rows, so what is drawn is how often each of these comes: the
    same distribution as drawing items, at a fraction of the cost.
    """
    rows, times = np.unique(table, axis=0, return_counts=True)
    random = np.random.default_rng(SEED)
    size = max(1, _BLOCK // len(rows))
    blocks = []
    for start in range(0, NUM_RESAMPLES, size):
        num_drawn = min(size, NUM_RESAMPLES - start)
        counts = random.multinomial(len(table), times / len(table), size=num_drawn)
        blocks.append(counts @ rows / len(table))
    return np.concatenate(blocks)


def _interval(values: Numbers) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
