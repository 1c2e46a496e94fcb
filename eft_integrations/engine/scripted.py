"""The shipped fake role: logits from a function, so that no test patches our own code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from eft_integrations.engine.core import Core
from eft_integrations.engine.forward import Fed, Feed
from eft_integrations.engine.scheduler import Scheduler

# All tokens of a row so far → logits of the next one, [V].
Script = Callable[[list[int]], Tensor]


class ScriptedRows(list[int]):
    """A copy of a slot's tokens."""

    @property
    def num_bytes(self) -> int:
        return len(self)


class ScriptedRunner:
    """Keeps each slot's tokens, as a cache would, and asks the script for every position.

    A script that raises stands for a forward pass that fails.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.rows: dict[int, list[int]] = {}

    def run(self, feeds: Sequence[Feed]) -> list[Fed]:
        return [Fed(self._logits(feed), 0, lambda: 0.0) for feed in feeds]

    def _logits(self, feed: Feed) -> Tensor:
        row = [*self.rows.get(feed.slot, [])[: feed.start], *feed.tokens]
        assert len(row) == feed.end, "a feed starts where the slot's tokens end"
        self.rows[feed.slot] = row
        asked = range(feed.end - feed.num_logits, feed.end)
        predicted = [self.script(row[: i + 1]) for i in asked]
        return torch.stack(predicted) if predicted else torch.empty(0, 0)

    def reserve(self, num_slots: int, length: int) -> None:
        """Nothing to reserve."""

    def move(self, source: int, target: int, length: int) -> None:
        self.rows[target] = self.rows[source][:length]

    def read(self, slot: int, length: int) -> ScriptedRows:
        return ScriptedRows(self.rows[slot][:length])

    def write(self, slot: int, rows: ScriptedRows, length: int) -> None:
        self.rows[slot] = [*rows[:length]]

    def clear(self) -> None:
        self.rows.clear()

    @property
    def num_bytes(self) -> int:
        return 0


def scripted_core(
    scripts: dict[str, Script],
    *,
    size: int,
    max_slots: int = 4,
    end_ids: Sequence[int] = (),
    drafters: Sequence[str] = (),
    prefix_bytes: int = 0,
) -> Core:
    """A core whose roles are scripts."""
    scheduler = Scheduler(
        max_slots=max_slots, prefill_chunk=64, max_logits=64, may_hold=lambda _slots, _len: True
    )
    runners = {role: ScriptedRunner(script) for role, script in scripts.items()}
    return Core(
        runners, scheduler, size, set(end_ids), drafters=drafters, prefix_bytes=prefix_bytes
    )
