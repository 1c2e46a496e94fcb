"""Forward passes of the roles: every one is run, timed and charged here."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from collections.abc import Sequence as Seq
from dataclasses import replace
from itertools import groupby
from statistics import median

from torch import Tensor

from eft_integrations.engine.forward import Feed, Runner
from eft_integrations.engine.sequence import Sequence
from eft_integrations.request import MemberStats

# A time is taken for known after so many passes, and forgotten after so many later ones.
_ENOUGH, _KEPT, _FORGOTTEN = 3, 7, 2000
_LARGEST = 256  # tokens; what prompts take says nothing about decoding


class Pace:
    """How long a role's passes take, by their number of tokens."""

    def __init__(self) -> None:
        self._samples: dict[int, deque[tuple[int, float]]] = {}
        self._num_noted = 0

    def note(self, num_tokens: int, seconds: float) -> None:
        """One pass took so long."""
        if num_tokens <= _LARGEST:
            self._num_noted += 1
            samples = self._samples.setdefault(_bucket(num_tokens), deque(maxlen=_KEPT))
            samples.append((self._num_noted, seconds))

    def seconds(self, num_tokens: int) -> float | None:
        """The median of the last passes of this size, or of the next smaller one; None at first.

        Where nothing is known of a size, it is taken to cost no more than a smaller one: so it
        will be tried.
        """
        known = self._known()
        fitting = [size for size in known if size <= _bucket(num_tokens)]
        if fitting:
            return known[max(fitting)]
        return known[min(known)] if known else None

    def _known(self) -> dict[int, float]:
        found = {}
        for size, samples in self._samples.items():
            fresh = [s for at, s in samples if at > self._num_noted - _FORGOTTEN]
            if len(fresh) >= _ENOUGH:
                found[size] = median(fresh)
        return found


def _bucket(num_tokens: int) -> int:
    """Sizes that are told apart: up to 16 each, then four to an octave."""
    if num_tokens <= 16:
        return num_tokens
    step = 1 << (num_tokens.bit_length() - 3)
    return num_tokens // step * step


class Passes:
    """The runners of all roles, with what their passes took."""

    def __init__(self, runners: Mapping[str, Runner]) -> None:
        self.runners = runners
        self.paces = {role: Pace() for role in runners}
        self.totals = dict.fromkeys(runners, MemberStats())

    def run(
        self, role: str, rows: Seq[tuple[Sequence, Feed]], running: Seq[Sequence]
    ) -> list[Tensor]:
        """Feed these rows of a role; logits [num_logits, V] of each, in order.

        All of ``running`` keep their place in the caches, fed or not.
        """
        runner = self.runners[role]
        held = max(sequence.computed[role] for sequence in running)
        runner.reserve(len(running), max(held, *(feed.end for _, feed in rows)))
        fed = runner.run([feed for _, feed in rows])
        order = sorted(range(len(fed)), key=lambda i: fed[i].group)
        for _, group in groupby(order, key=lambda i: fed[i].group):
            self._note(role, [(rows[i], fed[i].seconds) for i in group])
        return [one.logits for one in fed]

    def _note(self, role: str, pass_of: Seq[tuple[tuple[Sequence, Feed], float]]) -> None:
        """One pass of some rows, each with its share of the time."""
        seconds = sum(share for _, share in pass_of)
        width = max(len(feed.tokens) for (_, feed), _ in pass_of)
        self.paces[role].note(width * len(pass_of), seconds)
        total = self.totals[role]
        self.totals[role] = replace(total, passes=total.passes + 1, seconds=total.seconds + seconds)
        for (sequence, _), share in pass_of:
            sequence.charge(role, share)

    def move(self, source: int, target: int, computed: Mapping[str, int]) -> None:
        """Copy a slot of every role over another one."""
        for role, runner in self.runners.items():
            runner.move(source, target, computed[role])

    def clear(self) -> None:
        """Give all memory back."""
        for runner in self.runners.values():
            runner.clear()

    @property
    def num_bytes(self) -> int:
        return sum(runner.num_bytes for runner in self.runners.values())
