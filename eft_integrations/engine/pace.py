"""How long a role's passes take, by their number of tokens. No torch."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from statistics import median

# A time is taken for known after so many passes, and forgotten after so many later ones.
_ENOUGH, _KEPT, _FORGOTTEN = 3, 7, 2000
_LARGEST = 256  # tokens; what prompts take says nothing about decoding


class Pace:
    """How long a role's passes take, by their number of tokens."""

    def __init__(self) -> None:
        self._samples: dict[int, deque[float]] = {}
        self._medians: dict[int, float] = {}
        self._noted: dict[int, int] = {}
        self._num_noted = 0

    def note(self, num_tokens: int, seconds: float) -> None:
        """One pass took so long."""
        if num_tokens > _LARGEST:
            return
        self._num_noted += 1
        size = _bucket(num_tokens)
        samples = self._samples.setdefault(size, deque(maxlen=_KEPT))
        if self._noted.get(size, 0) <= self._num_noted - _FORGOTTEN:
            samples.clear()
        samples.append(seconds)
        self._noted[size] = self._num_noted
        self._medians[size] = median(samples)

    def seconds(self, num_tokens: int) -> float | None:
        """The median of the last passes of this size; None before any is known.

        Between two sizes that are known times lie on a line, which goes on beyond the largest; one
        size stands for all.
        """
        known = sorted(size for size in self._samples if self._is_known(size))
        if not known:
            return None
        wanted = _bucket(num_tokens)
        above = bisect_left(known, wanted, 1, max(1, len(known) - 1))
        low, high = known[above - 1], known[min(above, len(known) - 1)]
        if wanted <= low or low == high:
            return self._medians[low]
        slope = (self._medians[high] - self._medians[low]) / (high - low)
        if wanted <= high:
            return self._medians[low] + slope * (wanted - low)
        # A larger pass may be the faster one; beyond that it is taken to be no faster still.
        return self._medians[high] + max(slope, 0.0) * (wanted - high)

    def _is_known(self, size: int) -> bool:
        is_fresh = self._noted[size] > self._num_noted - _FORGOTTEN
        return is_fresh and len(self._samples[size]) >= _ENOUGH


def _bucket(num_tokens: int) -> int:
    """Sizes that are told apart: up to 16 each, then four to an octave."""
    if num_tokens <= 16:
        return num_tokens
    step = 1 << (num_tokens.bit_length() - 3)
    return num_tokens // step * step
