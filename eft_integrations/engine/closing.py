"""The shortest way to the end of a constrained output, looked for on copies of its matcher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

# The search for a closing: tokens tried where there is a choice, other ways tried in all, and how
# often a token may be repeated before another is tried.
_MAX_LOOKED_AT = 512
_MAX_OF_A_KIND = 3
_MAX_MOVES = 8
MAX_DETOURS = 16
_MAX_REPEATS = 4
_NEVER = 1000

# The grammar library's matcher; constraint.py is the only file that knows the library.
Matcher = Any


class Closings:
    """Searches for closings over one vocabulary; ``read`` gives a token's text, "" for control."""

    def __init__(self, size: int, read: Callable[[int], str]) -> None:
        self.size = size
        self._read = read

    @cached_property
    def texts(self) -> list[str]:
        return [self._read(i) for i in range(self.size)]

    @cached_property
    def orders(self) -> tuple[_Order, _Order]:
        """Which tokens promise an early end: between texts, and inside one."""
        return _order([_rank(t) for t in self.texts]), _order([_rank_inside(t) for t in self.texts])

    @cached_property
    def word_ids(self) -> list[int]:
        """Tokens that only free text allows: no keyword of JSON begins like them."""
        return [i for i, text in enumerate(self.texts) if text in ("z", "q", "Z", "Q")]

    def search(
        self, matcher: Matcher, max_len: int, num_detours: int = MAX_DETOURS
    ) -> list[int] | None:
        """A completion of at most ``max_len`` tokens; None where none was found.

        First always the most promising token; then, from the first choice on, ``num_detours``
        ways that leave that path once.
        """
        straight = self._rollout(matcher.deep_copy(), max_len)
        if straight.is_complete:
            return straight.path
        for at, move in straight.detours[:num_detours]:
            start = straight.path[:at] + move
            state = matcher.deep_copy()
            if len(start) <= max_len and state.consume_tokens(start):
                rest = self._rollout(state, max_len - len(start))
                if rest.is_complete:
                    return start + rest.path
        return None

    def _rollout(self, state: Matcher, max_len: int) -> _Rollout:
        path: list[int] = []
        detours: list[tuple[int, list[int]]] = []
        while not state.is_accepting():
            moves = self._moves(state, path) if len(path) < max_len else []
            if not moves or not state.consume_tokens(moves[0]):
                return _Rollout(path, detours, False)
            detours.extend((len(path), move) for move in moves[1:])
            path += moves[0]
        return _Rollout(path, detours, len(path) <= max_len)

    def _moves(self, state: Matcher, path: Sequence[int]) -> list[list[int]]:
        """What the grammar forces, as one move, or the most promising of its choices."""
        forced = state.compute_ff_tokens()
        if forced:
            return [forced]
        may = allowed(state, self.size)
        between, inside = self.orders
        order = inside if bool(may[self.word_ids].any()) else between
        tokens = order.best(may)
        if len(path) >= _MAX_REPEATS and set(path[-_MAX_REPEATS:]) == set(tokens[:1]):
            # The same sign again and again leads nowhere: another kind of token, if there is one.
            tokens.sort(key=lambda token: order.kind(token) == order.kind(path[-1]))
        return [[token] for token in tokens]


@dataclass(frozen=True)
class _Order:
    """Tokens by rank: ``ids`` int64 [K] best first, ``ranks`` of all tokens."""

    ids: Tensor
    ranks: list[int]

    def best(self, may: Tensor) -> list[int]:
        """The best of the tokens that ``may`` [size] allows, a few of each kind."""
        found = self.ids[may[self.ids].nonzero()[:_MAX_LOOKED_AT, 0]].tolist()
        num_of: Counter[int] = Counter()
        out = []
        for token in found:
            num_of[self.kind(token)] += 1
            if num_of[self.kind(token)] <= _MAX_OF_A_KIND:
                out.append(token)
        return out[:_MAX_MOVES]

    def kind(self, token: int) -> int:
        return self.ranks[token] // 50


def _order(ranks: list[int]) -> _Order:
    known = torch.tensor(ranks)
    return _Order(known.argsort(stable=True)[: int((known < _NEVER).sum())], ranks)


@dataclass(frozen=True)
class _Rollout:
    """The most promising path, and (position, move) of what else was possible on it."""

    path: list[int]
    detours: list[tuple[int, list[int]]]
    is_complete: bool


def allowed(matcher: Matcher, size: int) -> Tensor:
    """Bool [size]: the ids that the matcher allows."""
    bits = torch.frombuffer(bytearray(matcher.compute_bitmask()), dtype=torch.uint8)
    spread = (bits[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
    return spread.flatten()[:size].bool()


def _rank(text: str) -> int:
    """How soon a token brings an output to its end, where no text is open; the lowest first.

    Brackets that close, then those that close what they open, quotes, separators, short numbers,
    signs, words, brackets that open, and last white space. Fifty ranks are a kind.
    """
    length = min(len(text), 49)
    if all(sign in "}])" for sign in text):
        return 50 - length if text else _NEVER
    if all(sign in '"{}[]()' for sign in text):
        num_open, num_close = (sum(sign in signs for sign in text) for signs in ("{[(", "}])"))
        return 600 + length if num_open > num_close else 100 - length
    return _rank_inside(text)


def _rank_inside(text: str) -> int:
    """The same inside a text: its end, separators, short numbers, signs, words, white space."""
    length = min(len(text), 49)
    if not text:
        return _NEVER
    if text.isspace() or "\\" in text:
        return 900
    if text[0] == '"' and all(sign in '"}])' for sign in text):
        return 100 - length
    if any(sign in "{[(" for sign in text):
        return 650 + length
    if text[0] in ",:;@.":
        return (200 if text[0] == "." else 150) + length
    if text.isdigit():
        return 250 + length
    return (500 if text[0].isalnum() or text[0].isspace() else 400) - length
