"""Texts that ended, kept for those that begin like them. No torch: what is kept, a role decides.

Keys and values follow from tokens alone, so that a beginning serves any coefficients.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

# A shorter beginning is computed as fast as it is copied.
MIN_LEN = 16
# More texts than these take longer to compare than most beginnings to compute.
MAX_TEXTS = 128


class Kept(Protocol):
    """Cached positions of one text, as a role's runner reads them and writes them again."""

    @property
    def num_bytes(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Part:
    """What one role has cached of a text."""

    tokens: tuple[int, ...]
    kept: Kept


@dataclass(frozen=True, eq=False)
class Found:
    """The longest beginning that a text shares with one that is kept."""

    kept: Kept
    length: int


Text = Mapping[str, Part]  # by role


class Prefixes:
    """The texts used least recently leave first, when more than ``max_bytes`` are kept."""

    def __init__(self, max_bytes: int = 0) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._texts: dict[int, Text] = {}  # the latest use last
        self._num_kept = 0

    def keep(self, text: Text) -> None:
        """Keep a text, instead of those that it goes on from."""
        if not text or _size(text) > self.max_bytes:
            return
        for number, known in [*self._texts.items()]:
            if _goes_on(text, known):
                self._drop(number)
        self._texts[self._num_kept] = text
        self._num_kept += 1
        self.num_bytes += _size(text)
        while self.num_bytes > self.max_bytes or len(self._texts) > MAX_TEXTS:
            self._drop(next(iter(self._texts)))

    def find(self, role: str, tokens: tuple[int, ...]) -> Found | None:
        """What some text shares with ``tokens``, if it is worth it; that text counts as used."""
        lengths = {
            number: shared_len(text[role].tokens, tokens)
            for number, text in self._texts.items()
            if role in text
        }
        number = max(lengths, key=lengths.__getitem__, default=None)
        if number is None or lengths[number] < MIN_LEN:
            return None
        text = self._texts[number] = self._texts.pop(number)
        return Found(text[role].kept, lengths[number])

    def clear(self) -> None:
        """Forget everything."""
        self._texts.clear()
        self.num_bytes = 0

    def _drop(self, number: int) -> None:
        self.num_bytes -= _size(self._texts.pop(number))


def shared_len(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many tokens two texts have in common at the beginning."""
    lengths = range(1, min(len(one), len(other)) + 1)
    return bisect_left(lengths, True, key=lambda n: one[:n] != other[:n])


def _goes_on(text: Text, known: Text) -> bool:
    return all(
        role in text and shared_len(text[role].tokens, part.tokens) == len(part.tokens)
        for role, part in known.items()
    )


def _size(text: Text) -> int:
    return sum(part.kept.num_bytes for part in text.values())
