"""Who runs, who waits, who feeds how many tokens this step. No torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass

from eft_integrations.engine.sequence import Blend, Draft, Sequence

# May this many rows of this length be held? The cache budget answers.
MayHold = Callable[[int, int], bool]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One sequence's part of a step: tokens to feed by role, and how many positions to predict.

    ``blends`` has one for each of them. Without a draft; speculation adds it.
    """

    sequence: Sequence
    slot: int
    num_fed: Mapping[str, int]
    num_logits: int
    blends: Seq[Blend] = ()
    draft: Draft | None = None


@dataclass(frozen=True, kw_only=True)
class Move:
    """Retiring left a hole: copy row ``source`` to ``target``."""

    sequence: Sequence
    source: int
    target: int


class Scheduler:
    """``running[i]`` sits in slot i; active slots stay neighbours."""

    def __init__(
        self, *, max_slots: int, prefill_chunk: int, max_logits: int, may_hold: MayHold
    ) -> None:
        self.max_slots = max_slots
        self.prefill_chunk = prefill_chunk
        self.max_logits = max_logits
        self.may_hold = may_hold
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self._num_admitted = 0

    def admit(self) -> None:
        """Give slots to those who wait, in order, as long as there is room for the first."""
        while self.waiting and self._may_admit(self.waiting[0]):
            self.running.append(self.waiting.popleft())
            self.running[-1].number = self._num_admitted
            self._num_admitted += 1

    def _may_admit(self, sequence: Sequence) -> bool:
        longest = max(other.reserved_len for other in [*self.running, sequence])
        return len(self.running) < self.max_slots and self.may_hold(len(self.running) + 1, longest)

    def retire(self, sequence: Sequence) -> Move | None:
        """Free a slot; the last row moves into the hole."""
        hole = self.running.index(sequence)
        last = self.running.pop()
        if last is sequence:
            return None
        self.running[hole] = last
        return Move(sequence=last, source=len(self.running), target=hole)

    def plan(self) -> list[Row]:
        """Every decoding row one token; prompts share ``prefill_chunk`` tokens, first come first.

        A row is predicted only in the step in which every role reaches the end of its prompt;
        roles with shorter prompts keep their last token back until then.
        """
        rows = []
        budget, logits = self.prefill_chunk, self.max_logits
        # Slots change hands when rows retire, so that only the order of admission is fair.
        for slot, sequence in sorted(enumerate(self.running), key=_admitted):
            with sequence.planning() as roles:
                row = self._row(slot, sequence, roles, budget, logits)
            if row is not None:
                rows.append(row)
                longest = max(row.num_fed.values())
                budget -= longest if longest > 1 else 0
                logits -= row.num_logits
        return rows

    def _row(
        self, slot: int, sequence: Sequence, roles: Collection[str], budget: int, logits: int
    ) -> Row | None:
        pending = {role: sequence.pending(role) for role in sequence.computed if role in roles}
        longest = max(pending.values())
        if longest > max(budget, 1) or (sequence.num_unfed and budget < 1):
            return self._part_of_prompt(slot, sequence, pending, budget)
        predicted = min(longest, 1)
        extra = max(0, min(sequence.num_unfed, budget - longest, logits - predicted))
        if not predicted + extra:
            return None
        fed = {role: count + extra for role, count in pending.items()}
        count = predicted + extra
        may_draft = longest == 1 and not sequence.is_scoring
        blends = sequence.take_blends(count + (sequence.draft_len if may_draft else 0))
        return Row(sequence=sequence, slot=slot, num_fed=fed, num_logits=count, blends=blends)

    def _part_of_prompt(
        self, slot: int, sequence: Sequence, pending: Mapping[str, int], budget: int
    ) -> Row | None:
        fed = {role: min(budget, count - 1) for role, count in pending.items()}
        fed = {role: count for role, count in fed.items() if count > 0}
        return Row(sequence=sequence, slot=slot, num_fed=fed, num_logits=0) if fed else None


def _admitted(placed: tuple[int, Sequence]) -> int:
    return placed[1].number
