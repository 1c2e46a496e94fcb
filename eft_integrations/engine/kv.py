"""Each role's cache: one row a slot, ragged lengths, grown in blocks.

Per layer one tensor [slots, kv_heads, capacity, head_dim]. New keys are written at each row's own
positions; a pass reads the first ``kv_len`` positions of its rows. What lies beyond a row's length
is never visible (the mask hides it), so that rewinding is arithmetic on lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from eft_integrations.rule import sent

BLOCK = 128
_Place = TypeVar("_Place")


def blocks(length: int) -> int:
    """``length`` rounded up to whole blocks."""
    return -(-length // BLOCK) * BLOCK


def fitting(per_token: Mapping[_Place, int], free: Mapping[_Place, int]) -> int:
    """Bytes of all caches together, so that each place has room for its part of every token."""
    whole = sum(per_token.values())
    return min(free[place] * whole // part for place, part in per_token.items())


@dataclass(frozen=True)
class Memory:
    """Bytes of all caches, those of them that keep texts which ended, and bytes of a token."""

    kv_limit: int
    prefix_bytes: int
    per_token: int

    @classmethod
    def of(cls, kv_limit: int, prefix_bytes: int | None, per_token: int) -> Self:
        """A quarter keeps texts where nothing is said, but one block is left to those that run."""
        quarter = max(0, min(kv_limit // 4, kv_limit - BLOCK * per_token))
        return cls(kv_limit, quarter if prefix_bytes is None else prefix_bytes, per_token)

    @property
    def max_cells(self) -> int:
        """Tokens that running texts may hold together."""
        return (self.kv_limit - self.prefix_bytes) // self.per_token


@dataclass(frozen=True)
class Pass:
    """Where one forward pass of R rows and Q columns reads and writes.

    ``slots`` [R]; ``slot``, ``row``, ``column``, ``position`` [num_tokens] address the real tokens
    (rows are padded at the front); ``kv_len`` positions are read. ``first`` is the first of
    neighbouring slots, which are read without a copy; None where they are not neighbours.
    """

    slots: Tensor
    slot: Tensor
    row: Tensor
    column: Tensor
    position: Tensor
    first: int | None
    kv_len: int
    query_offset: int

    def on(self, device: torch.device) -> Pass:
        """The same pass with its indices on ``device``."""
        names = ("slots", "slot", "row", "column", "position")
        moved: dict[str, Any] = {name: sent(getattr(self, name), device) for name in names}
        return replace(self, **moved)


@dataclass(frozen=True, eq=False)
class Rows:
    """A copy of the start of a slot: keys and values by layer, [kv_heads, length, head_dim]."""

    layers: list[tuple[Tensor, Tensor]]

    @property
    def num_bytes(self) -> int:
        return sum(one.numel() * one.element_size() for pair in self.layers for one in pair)


class SlotCache(Cache):
    """The keys and values of one role. ``begin`` a pass, then run the model with this cache."""

    def __init__(self, num_layers: int, max_cells: int) -> None:
        self.slot_layers = [SlotLayer(self) for _ in range(num_layers)]
        super().__init__(layers=list(self.slot_layers))
        self.max_cells = max_cells
        self.num_slots = 0
        self.capacity = 0
        self.current: Pass | None = None
        self._copies: dict[torch.device, Pass] = {}

    def reserve(self, num_slots: int, length: int) -> None:
        """Make room for ``num_slots`` rows of ``length`` positions; layers follow on next use.

        Grows only, until slots times positions would exceed ``max_cells``; then it takes the
        shape that is asked for.
        """
        wanted = max(self.num_slots, num_slots), max(self.capacity, blocks(length))
        if wanted[0] * wanted[1] > self.max_cells:
            wanted = num_slots, blocks(length)
        self.num_slots, self.capacity = wanted

    def begin(self, current: Pass) -> None:
        self.current = current
        self._copies = {current.row.device: current}

    def on(self, device: torch.device) -> Pass:
        """The current pass where a layer lies; copied once a pass, not once a layer."""
        assert self.current is not None, "SlotCache.begin comes before the forward pass"
        if device not in self._copies:
            self._copies[device] = self.current.on(device)
        return self._copies[device]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` positions of one row over another row."""
        for layer in self.slot_layers:
            layer.move(source, target, length)

    def read(self, slot: int, length: int) -> Rows:
        """A copy of the first ``length`` positions of a slot."""
        return Rows([layer.read(slot, length) for layer in self.slot_layers])

    def write(self, slot: int, rows: Rows, length: int) -> None:
        """Begin a slot with the first ``length`` positions of a copy; ``reserve`` comes before."""
        for layer, pair in zip(self.slot_layers, rows.layers, strict=True):
            layer.write(slot, pair, length)

    def clear(self) -> None:
        """Give all memory back."""
        self.num_slots = self.capacity = 0
        self.current = None
        self._copies = {}
        for layer in self.slot_layers:
            layer.drop()

    @property
    def num_bytes(self) -> int:
        return sum(layer.num_bytes for layer in self.slot_layers)


class SlotLayer(CacheLayerMixin):
    """One layer's keys and values, [num_slots, kv_heads, capacity, head_dim] each."""

    def __init__(self, cache: SlotCache) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # untyped in transformers
        self.cache = cache

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write [R, kv_heads, Q, head_dim] and return [R, kv_heads, kv_len, head_dim]."""
        current = self.cache.on(key_states.device)
        self.keys = self._written(self.keys, key_states, current)
        self.values = self._written(self.values, value_states, current)
        return self._read(self.keys, current), self._read(self.values, current)

    def _written(self, store: Tensor | None, new: Tensor, current: Pass) -> Tensor:
        store = self._grown(store, new)
        store[current.slot, :, current.position] = new[current.row, :, current.column].to(
            store.dtype
        )
        return store

    def _grown(self, store: Tensor | None, like: Tensor) -> Tensor:
        """The store at the cache's present size; zeros, since 0 · nan of stale memory is nan."""
        shape = (self.cache.num_slots, like.shape[1], self.cache.capacity, like.shape[3])
        if store is not None and store.shape == shape:
            return store
        grown = like.new_zeros(shape)
        if store is not None:
            kept, seen = min(len(store), shape[0]), min(store.shape[2], shape[2])
            grown[:kept, :, :seen] = store[:kept, :, :seen]
        return grown

    def _read(self, store: Tensor, current: Pass) -> Tensor:
        seen = store[:, :, : current.kv_len]
        if current.first is None:
            return seen[current.slots]
        return seen[current.first : current.first + len(current.slots)]

    def move(self, source: int, target: int, length: int) -> None:
        for store in (self.keys, self.values):
            if store is not None and source < len(store):
                store[target, :, :length] = store[source, :, :length]

    def read(self, slot: int, length: int) -> tuple[Tensor, Tensor]:
        assert self.keys is not None
        assert self.values is not None
        return self.keys[slot, :, :length].clone(), self.values[slot, :, :length].clone()

    def write(self, slot: int, pair: tuple[Tensor, Tensor], length: int) -> None:
        keys, values = pair
        self.keys = self._grown(self.keys, keys[None])
        self.values = self._grown(self.values, values[None])
        self.keys[slot, :, :length] = keys[:, :length]
        self.values[slot, :, :length] = values[:, :length]

    def drop(self) -> None:
        self.keys = self.values = None

    @property
    def num_bytes(self) -> int:
        stores = (self.keys, self.values)
        return sum(store.numel() * store.element_size() for store in stores if store is not None)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: stores are made in ``update``."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:  # noqa: ARG002 — theirs
        assert self.cache.current is not None
        return self.cache.current.kv_len, 0

    def get_seq_length(self) -> int:
        return 0 if self.cache.current is None else self.cache.current.query_offset

    def get_max_length(self) -> int:
        return -1
