"""One pass of one role over a plan: feeds in, logits out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import torch
from torch import Tensor

from eft_integrations.engine.kv import Pass, SlotCache
from eft_integrations.engine.members import Member
from eft_integrations.engine.stopwatch import Stopwatch
from eft_integrations.rule import sent

# What a pass costs besides its columns, in columns: it reads all weights.
_PASS_COST = 8


@dataclass(frozen=True)
class Feed:
    """New tokens for one slot of one role, at positions ``start`` …; logits of the last few."""

    slot: int
    start: int
    tokens: Sequence[int]
    num_logits: int

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)


@dataclass(frozen=True)
class Fed:
    """What came of one feed: logits [num_logits, V], which pass, and what the pass took.

    ``took`` is None until the device has come so far.
    """

    logits: Tensor
    group: int
    took: Callable[[], float | None]


class Runner(Protocol):
    """What the engine asks of a role; the shipped fake is ``scripted.ScriptedRunner``."""

    def run(self, feeds: Sequence[Feed]) -> list[Fed]: ...
    def reserve(self, num_slots: int, length: int) -> None: ...
    def move(self, source: int, target: int, length: int) -> None: ...
    def read(self, slot: int, length: int) -> Any: ...
    def write(self, slot: int, rows: Any, length: int) -> None: ...
    def clear(self) -> None: ...
    @property
    def num_bytes(self) -> int: ...


class ModelRunner:
    """A role played by a transformers model with a slot cache of its own."""

    def __init__(self, member: Member, max_cells: int) -> None:
        self.member = member
        self.cache = SlotCache(member.num_layers, max_cells)
        self.reserve = self.cache.reserve
        self.move = self.cache.move
        self.read = self.cache.read
        self.write = self.cache.write
        self.clear = self.cache.clear

    @property
    def num_bytes(self) -> int:
        return self.cache.num_bytes

    def run(self, feeds: Sequence[Feed]) -> list[Fed]:
        """One or a few passes: feeds of like length share one, so that little is padding."""
        out: dict[int, Fed] = {}
        for number, group in enumerate(_groups(feeds, alone=self.member.has_alibi)):
            watch = Stopwatch(self.member.device)
            logits = self._forward([feeds[i] for i in group])
            watch.stop()
            for row, i in enumerate(group):
                last = logits[row, logits.shape[1] - feeds[i].num_logits :]
                out[i] = Fed(last, number, watch.seconds)
        return [out[i] for i in range(len(feeds))]

    def _forward(self, feeds: Sequence[Feed]) -> Tensor:
        """Logits [R, K, V] of the last K columns, K the largest ``num_logits``."""
        ids, positions, current = _inputs(feeds, self.member.device)
        self.cache.begin(current)
        arguments: dict[str, Any] = {
            "input_ids": ids,
            "attention_mask": self._mask(positions, current),
            "past_key_values": self.cache,
            "use_cache": True,
            "logits_to_keep": max(1, *(feed.num_logits for feed in feeds)),
        }
        if self.member.takes_positions:
            arguments["position_ids"] = positions
        logits: Tensor = self.member.model(**arguments).logits
        return logits

    def _mask(self, positions: Tensor, current: Pass) -> Tensor | dict[str, Tensor]:
        if self.member.has_alibi:
            return _left_aligned(positions, current.kv_len)
        masks = {
            kind: self._as_model_reads(_visible(positions, current.kv_len, window))
            for kind, window in self.member.windows.items()
        }
        return masks if len(masks) > 1 else next(iter(masks.values()))

    def _as_model_reads(self, visible: Tensor) -> Tensor:
        """Eager attention adds its mask; scaled-dot-product attention reads booleans."""
        if self.member.reads_boolean_mask:
            return visible
        dtype = self.member.dtype
        hidden = torch.full((), torch.finfo(dtype).min, dtype=dtype, device=visible.device)
        return torch.where(visible, torch.zeros_like(hidden), hidden)


def _groups(feeds: Sequence[Feed], *, alone: bool) -> list[list[int]]:
    """Indices of feeds that share a pass: the cheapest division, a pass and each column costing.

    ``alone``: an ALiBi model reads a 2-D mask, which is exact for single tokens only; longer
    feeds run one by one.
    """
    lengths = [len(feed.tokens) for feed in feeds]
    order = sorted(range(len(feeds)), key=lengths.__getitem__)
    # The cheapest way to divide the first n, and where its last group begins.
    best: list[tuple[float, int]] = [(0, 0)]
    for end in range(1, len(order) + 1):
        width = lengths[order[end - 1]]
        first = end - 1 if alone and width > 1 else 0
        best.append(
            min((best[n][0] + _PASS_COST + (end - n) * width, n) for n in range(first, end))
        )
    groups, end = [], len(order)
    while end:
        groups.append(order[best[end][1] : end])
        end = best[end][1]
    return groups


def _inputs(feeds: Sequence[Feed], device: torch.device) -> tuple[Tensor, Tensor, Pass]:
    """Token ids and positions [R, Q], padded at the front with 0, and where they belong.

    All of it goes to the device as one tensor.
    """
    columns = max(len(feed.tokens) for feed in feeds)
    padding = [[0] * (columns - len(feed.tokens)) for feed in feeds]
    slots = [feed.slot for feed in feeds]
    rows = [row for row, feed in enumerate(feeds) for _ in feed.tokens]
    parts = (
        [i for pad, feed in zip(padding, feeds, strict=True) for i in (*pad, *feed.tokens)],
        [i for p, f in zip(padding, feeds, strict=True) for i in (*p, *range(f.start, f.end))],
        slots,
        [slots[row] for row in rows],
        rows,
        [c for pad in padding for c in range(len(pad), columns)],
        [p for feed in feeds for p in range(feed.start, feed.end)],
    )
    table = sent(torch.tensor([*chain.from_iterable(parts)]), device)
    ids, positions, *places = table.split_with_sizes([len(part) for part in parts])
    kv_len = max(feed.end for feed in feeds)
    are_neighbours = slots == list(range(slots[0], slots[0] + len(slots)))
    current = Pass(
        **dict(zip(("slots", "slot", "row", "column", "position"), places, strict=True)),
        first=slots[0] if are_neighbours else None,
        kv_len=kv_len,
        query_offset=kv_len - columns,
    )
    return ids.view(-1, columns), positions.view(-1, columns), current


def _visible(positions: Tensor, kv_len: int, window: int | None) -> Tensor:
    """Causal, optionally windowed: positions [R, Q] → bool [R, 1, Q, kv_len]."""
    keys = torch.arange(kv_len, device=positions.device)
    seen = keys <= positions[:, :, None]
    if window is not None:
        seen &= keys > positions[:, :, None] - window
    return seen[:, None]


def _left_aligned(positions: Tensor, kv_len: int) -> Tensor:
    """The 2-D mask of ALiBi models, [R, kv_len]: what a row's last token may see."""
    keys = torch.arange(kv_len, device=positions.device)
    return (keys <= positions[:, -1:]).long()
