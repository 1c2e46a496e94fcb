"""Forward passes of the roles: every one is run, timed and charged here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Seq
from itertools import groupby

from torch import Tensor

from eft_integrations.engine.forward import Feed, Runner
from eft_integrations.engine.pace import Pace
from eft_integrations.engine.prefixes import MIN_LEN, Found, Part, Prefixes, shared_len
from eft_integrations.engine.sequence import Sequence
from eft_integrations.request import MemberStats


class Passes:
    """The runners of all roles, with what their passes took and what they need not run again."""

    def __init__(self, runners: Mapping[str, Runner], prefix_bytes: int = 0) -> None:
        self.runners = runners
        self.prefixes = Prefixes(prefix_bytes)
        self.paces = {role: Pace() for role in runners}
        self.totals = dict.fromkeys(runners, MemberStats())
        # Passes whose time is not known yet: role, rows, what they took.
        self._due: list[tuple[str, Seq[tuple[Sequence, Feed]], Callable[[], float | None]]] = []

    def run(
        self, role: str, rows: Seq[tuple[Sequence, Feed]], running: Seq[Sequence]
    ) -> list[Tensor]:
        """Feed these rows of a role; logits [num_logits, V] of each, in order.

        All of ``running`` keep their place in the caches, fed or not.
        """
        runner = self.runners[role]
        self._reserve(role, max(feed.end for _, feed in rows), running)
        fed = runner.run([feed for _, feed in rows])
        order = sorted(range(len(fed)), key=lambda i: fed[i].group)
        for _, group in groupby(order, key=lambda i: fed[i].group):
            indices = [*group]
            self._due.append((role, [rows[i] for i in indices], fed[indices[0]].took))
        self.settle()
        return [one.logits for one in fed]

    def settle(self) -> None:
        """Note what passes took, as far as their devices have come; all, once a step was read."""
        due, self._due = self._due, []
        for role, rows, took in due:
            seconds = took()
            if seconds is None:
                self._due.append((role, rows, took))
            else:
                self._note(role, rows, seconds)

    def _reserve(self, role: str, length: int, running: Seq[Sequence]) -> None:
        """Room for ``length`` positions beside what the running ones hold."""
        held = max(sequence.computed[role] for sequence in running)
        self.runners[role].reserve(len(running), max(held, length))

    def _note(self, role: str, rows: Seq[tuple[Sequence, Feed]], seconds: float) -> None:
        """One pass of some rows, which share its time."""
        width = max(len(feed.tokens) for _, feed in rows)
        self.paces[role].note(width * len(rows), seconds)
        self._add(role, MemberStats(passes=1, seconds=seconds))
        for sequence, _ in rows:
            sequence.charge(role, MemberStats(passes=1, seconds=seconds / len(rows)))

    def credit(self, sequence: Sequence, drafter: str, drafted: int, accepted: int) -> None:
        """So many tokens of a draft were kept."""
        done = MemberStats(drafted=drafted, accepted=accepted)
        self._add(drafter, done)
        sequence.charge(drafter, done)

    def _add(self, role: str, done: MemberStats) -> None:
        self.totals[role] = self.totals.get(role, MemberStats()) + done

    @property
    def seconds(self) -> float:
        """Of all passes of all roles until now."""
        return sum(total.seconds for total in self.totals.values())

    def resume(self, slot: int, sequence: Sequence, running: Seq[Sequence]) -> None:
        """Begin a text that has nothing cached with what was cached of another one.

        The last token of a prompt is always fed: its logits are what comes next.
        """
        for role, prompt in sequence.request.prompts.items():
            found = self._known(role, tuple(prompt[:-1]), running)
            if found is not None:
                self._reserve(role, found.length, running)
                self.runners[role].write(slot, found.kept, found.length)
                sequence.computed[role] = found.length
                reused = MemberStats(reused=found.length)
                self._add(role, reused)
                sequence.charge(role, reused)

    def _known(self, role: str, tokens: tuple[int, ...], running: Seq[Sequence]) -> Found | None:
        """The longest beginning in a text that ended, or in one that runs."""
        if not self.prefixes.max_bytes or len(tokens) < MIN_LEN:
            return None
        lengths = [
            min(one.computed[role], shared_len(tuple(one.tokens(role, 0, len(tokens))), tokens))
            for one in running
        ]
        longest = max(lengths)
        found = self.prefixes.find(role, tokens)
        if longest < MIN_LEN or (found is not None and found.length >= longest):
            return found
        return Found(self.runners[role].read(lengths.index(longest), longest), longest)

    def keep(self, slot: int, sequence: Sequence) -> None:
        """Keep what is cached of a text that ends well."""
        if not self.prefixes.max_bytes:
            return
        text = {}
        for role, length in sequence.cached().items():
            if length >= MIN_LEN:
                tokens = tuple(sequence.tokens(role, 0, length))
                text[role] = Part(tokens, self.runners[role].read(slot, length))
        self.prefixes.keep(text)

    def move(self, source: int, target: int, computed: Mapping[str, int]) -> None:
        """Copy a slot of every role over another one."""
        for role, runner in self.runners.items():
            runner.move(source, target, computed[role])

    def clear(self) -> None:
        """Give all memory back."""
        self._due.clear()
        self.prefixes.clear()
        for runner in self.runners.values():
            runner.clear()

    @property
    def num_bytes(self) -> int:
        """Bytes of all caches, with what is kept of texts that ended."""
        return self.prefixes.num_bytes + sum(one.num_bytes for one in self.runners.values())
