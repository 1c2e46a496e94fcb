"""What is known of the drafts of one text: who was right, and what was said before. No torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence as Seq
from functools import cached_property

_GRAM = 3


class Track:
    """How often what a drafter said was kept; the recent counts more."""

    def __init__(self, memory: float) -> None:
        self.memory = memory
        self.offered = 0.0
        self.kept = 0.0

    def note(self, num_kept: int, *, was_refused: bool) -> None:
        """So many tokens of a draft were kept, and one more was refused or not."""
        fading = self.memory ** (num_kept + was_refused)
        self.kept = self.kept * fading + num_kept
        self.offered = self.offered * fading + num_kept + was_refused

    def chance(self, prior: float) -> float:
        """The probability that a token is kept, where ``prior`` counts as two observations."""
        return (self.kept + 2 * prior) / (self.offered + 2)


class Lookup:
    """Where the last few tokens stood before: what followed there may follow here."""

    def __init__(self, tokens: Seq[int]) -> None:
        self.tokens: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}
        self._match: int | None = None
        self.extend(tokens)

    def extend(self, tokens: Seq[int]) -> None:
        """More tokens of the text."""
        for token in tokens:
            self.tokens.append(token)
            gram = tuple(self.tokens[-_GRAM:])
            self._match = self._ends.get(gram) if len(gram) == _GRAM else None
            self._ends[gram] = len(self.tokens)

    def proposal(self, max_len: int) -> list[int]:
        """What followed the latest earlier place; nothing where there is none."""
        return [] if self._match is None else self.tokens[self._match : self._match + max_len]


class Drafting:
    """What speculation keeps of one sequence."""

    def __init__(self, prompt: Seq[int]) -> None:
        self.tracks: defaultdict[str, Track] = defaultdict(lambda: Track(0.95))
        self.drafter = ""
        self.proposal: Seq[int] = ()
        self._prompt = prompt
        self._num_seen = 0

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self._prompt)

    def look_up(self, output: Seq[int], max_len: int) -> list[int]:
        """What followed an earlier place like the end of this output."""
        self._lookup.extend(output[self._num_seen :])
        self._num_seen = len(output)
        return self._lookup.proposal(max_len)
