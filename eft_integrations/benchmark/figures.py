"""What a measurement tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
