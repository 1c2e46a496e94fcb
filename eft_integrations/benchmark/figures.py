"""What a measurement tells."""

from __future__ import annotations

from dataclasses import dataclass


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
