"""What a measurement tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import comb
from statistics import median
from time import perf_counter

Spread = tuple[float, float, float]


def seconds_of(run: Callable[[], object]) -> float:
    """How long it takes."""
    start = perf_counter()
    run()
    return perf_counter() - start


def spread(values: Iterable[float]) -> Spread:
    """Median, least and most."""
    known = [*values]
    return median(known), min(known), max(known)


def median_spread(values: Iterable[float]) -> Spread:
    """Median, and two of the values between which the true one lies, 19 times in 20.

    Of fewer than six values the least and the most, which promise less. By the sign test, so that
    a few rounds in which the machine was busy elsewhere count no more than any others.
    """
    known = sorted(values)
    num, outside = len(known), 0
    while 2 * sum(comb(num, k) for k in range(outside + 2)) <= 0.05 * 2**num:
        outside += 1
    return median(known), known[outside], known[-1 - outside]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number, its range over the rounds, and the most that it should be."""

    name: str
    unit: str
    value: float
    low: float
    high: float
    limit: float

    @property
    def is_held(self) -> bool:
        return self.value <= self.limit
