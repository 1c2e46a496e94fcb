"""The strip of bars: each token's shift from the base, on a scale of powers of ten. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_TEN = math.log(10)
# What is further up or down ends at the edge.
_MOST = 6 * _TEN
_LEAST = math.log(3)
_MAX_LINES = 3


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line across the strip; ``top`` in per cent of its height."""

    label: str
    top: float


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From ``low`` to ``high``, in nats; 0 is always inside."""

    low: float
    high: float

    @classmethod
    def of(cls, shifts: Sequence[float]) -> Scale:
        """Room for all shifts, up to a factor of a million either way."""
        high = min(max([_LEAST, *shifts]), _MOST)
        low = max(min([-_LEAST, *shifts]), -_MOST)
        return cls(low=low, high=high)

    def top(self, shift: float) -> float:
        """Where a bar of this shift begins, in per cent from above."""
        return self._down(max(shift, 0.0))

    def height(self, shift: float) -> float:
        """How tall that bar is, in per cent; bars below the base hang from the line of ×1."""
        return self._down(min(shift, 0.0)) - self.top(shift)

    @property
    def lines(self) -> list[Line]:
        """×1, and powers of ten, so many that they can be read."""
        most = max(self.high, -self.low) / _TEN
        step = max(1, math.ceil(most / _MAX_LINES))
        exponents = range(step * math.ceil(self.low / _TEN / step), int(self.high / _TEN) + 1, step)
        return [Line(label=_label(k), top=self._down(k * _TEN)) for k in exponents]

    def _down(self, shift: float) -> float:
        inside = min(max(shift, self.low), self.high)
        return 100 * (self.high - inside) / (self.high - self.low)


def _label(exponent: int) -> str:
    sign = "÷" if exponent < 0 else "×"
    return f"{sign}{10 ** abs(exponent):,}".replace(",", " ")
