"""Grammars for the output; the only file that knows the grammar library (llguidance)."""

from __future__ import annotations

import heapq
import json
from collections.abc import Collection
from functools import cached_property
from itertools import count
from typing import Any

import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from eft_integrations.errors import InvalidRequest
from eft_integrations.request import Constraint

# The search for a closing: states looked at, and tokens tried in each.
_MAX_STATES = 64
_MAX_BRANCHES = 8
# A closing is watched once no more than this many tokens are left, or this multiple of the
# shortest whole output.
_WATCH_AT_LEAST = 128
_WATCH_FACTOR = 2
_NEVER = 1000


class Grammars:
    """Compiles constraints against one tokenizer."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, size: int, end_ids: Collection[int]
    ) -> None:
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            raise InvalidRequest(
                f"constraints need a fast tokenizer, got {type(tokenizer).__name__}; "
                f"use a model whose folder has a tokenizer.json"
            )
        self.size = size
        self.end_ids = sorted(token for token in end_ids if token < size)
        width = max(size, len(tokenizer))
        self._library = from_tokenizer(tokenizer, n_vocab=width, eos_token=self.end_ids or None)

    @cached_property
    def closing_rank(self) -> Tensor:
        """How promising each token is when an output is to end soon, int64 [size]; 0 is best."""
        texts = (self._library.decode_bytes([i]).decode(errors="replace") for i in range(self.size))
        special = self._library.is_special_token
        ranks = [_NEVER if special(i) else _closing_rank(t) for i, t in enumerate(texts)]
        return torch.tensor(ranks)

    def compile(self, constraint: Constraint) -> Grammar:
        """A fresh grammar; raises ``InvalidRequest`` with the library's reason."""
        try:
            source = _source(constraint)
        except ValueError as error:
            raise _refused(constraint, str(error)) from error
        problem = LLMatcher.validate_grammar(source, self._library)
        if problem:
            raise _refused(constraint, problem)
        matcher = LLMatcher(self._library, source, log_level=0)
        return Grammar(matcher, self, constraint.close_within_budget)


class Grammar:
    """The state of one constrained output."""

    def __init__(self, matcher: LLMatcher, home: Grammars, close_within_budget: bool) -> None:
        self._matcher = matcher
        self._home = home
        self._closing: list[int] | None = None  # completes the output from the present state
        self._is_following = False
        self._watch_from = 0
        if close_within_budget:
            shortest = self._search(matcher) or []
            self._watch_from = max(_WATCH_AT_LEAST, _WATCH_FACTOR * len(shortest))

    @property
    def is_closed(self) -> bool:
        """The output is complete, and nothing may or will follow."""
        followed = self._is_following and not self._closing
        return followed or bool(self._matcher.is_stopped())

    def mask(self, device: torch.device) -> Tensor:
        """Bool [size]: the tokens that may come next."""
        allowed = torch.zeros(self._home.size, dtype=torch.bool)
        allowed[_allowed(self._matcher, self._home.size)] = True
        return allowed.to(device)

    def advance(self, token_id: int, *, is_end: bool = False) -> None:
        """Consume a token that the mask allows; an end token leaves the grammar as it is."""
        if not is_end and not self._matcher.consume_token(token_id):
            raise RuntimeError(f"the grammar refused {token_id}: {self._matcher.get_error()}")

    def within_budget(self, token_id: int, num_left: int) -> int:
        """``token_id``, or the next token of a closing where after it none would fit any more.

        ``num_left`` tokens may still be written, this one included. Once a closing is begun it is
        followed to its end. Where not even a closing fits, ``token_id`` stands.
        """
        if num_left > self._watch_from or token_id in self._home.end_ids:
            return token_id
        if not self._is_following:
            closing = self._closing_after(token_id)
            if closing is not None and len(closing) < num_left:
                self._closing = closing
                return token_id
            if self._closing is None:
                self._closing = self._search(self._matcher)
            self._is_following = bool(self._closing) and len(self._closing or ()) <= num_left
        return self._closing.pop(0) if self._is_following and self._closing else token_id

    def _closing_after(self, token_id: int) -> list[int] | None:
        """A closing once ``token_id`` is written; often the one already known still fits."""
        after = self._matcher.deep_copy()
        after.consume_token(token_id)
        if self._closing is not None:
            known = after.deep_copy()
            if known.validate_tokens(self._closing) == len(self._closing):
                known.consume_tokens(self._closing)
                if known.is_accepting():
                    return list(self._closing)
        return self._search(after)

    def _search(self, matcher: LLMatcher) -> list[int] | None:
        """The shortest completion found; None where none was found.

        Limited-discrepancy search: first the path of the most promising tokens, then paths that
        leave it ever more often; what the grammar forces counts as one move.
        """
        best: list[int] | None = None
        order = count()
        queue: list[tuple[int, int, LLMatcher, list[int]]] = [(0, next(order), matcher, [])]
        for _ in range(_MAX_STATES):
            if not queue:
                break
            cost, _, state, path = heapq.heappop(queue)
            if best is not None and len(path) >= len(best):
                continue
            if state.is_accepting():
                best = path
                continue
            for rank, move in enumerate(self._moves(state)):
                after = state.deep_copy()
                if after.consume_tokens(move):
                    heapq.heappush(queue, (cost + rank, next(order), after, path + move))
        return best

    def _moves(self, state: LLMatcher) -> list[list[int]]:
        forced = state.compute_ff_tokens()
        if forced:
            return [forced]
        allowed = _allowed(state, self._home.size)
        ranks = self._home.closing_rank[allowed]
        order = ranks.argsort(stable=True)[:_MAX_BRANCHES]
        return [[int(allowed[i])] for i in order if ranks[i] < _NEVER]


def _allowed(matcher: LLMatcher, size: int) -> Tensor:
    """Ids that the matcher allows, int64 [K]."""
    bits = torch.frombuffer(bytearray(matcher.compute_bitmask()), dtype=torch.uint8)
    spread = (bits[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
    return spread.flatten()[:size].nonzero()[:, 0]


def _closing_rank(text: str) -> int:
    """Closers first, the longest ahead; then short numbers, signs, long words, white space."""
    if not text:
        return _NEVER
    if all(sign in '"}])' for sign in text):
        return 100 - min(len(text), 99)
    if text.isdigit():
        return 200 + min(len(text), 99)
    if text.isspace() or "\\" in text:
        return 600
    base = 500 if text[0].isalnum() or text[0].isspace() else 400
    return base - min(len(text), 99)


def _source(constraint: Constraint) -> str:
    value: Any = constraint.value
    if constraint.kind == "json_schema":
        text = value if isinstance(value, str) else json.dumps(value)
        return str(LLMatcher.grammar_from_json_schema(text))
    if constraint.kind == "regex":
        return str(LLMatcher.grammar_from_regex(value))
    if constraint.kind == "choice":
        options = " | ".join(json.dumps(option) for option in value)
        return str(LLMatcher.grammar_from_lark(f"start: {options}"))
    return str(LLMatcher.grammar_from_lark(value))


def _refused(constraint: Constraint, reason: str) -> InvalidRequest:
    first = next((line.strip() for line in reason.splitlines() if line.strip()), "no reason given")
    return InvalidRequest(
        f"{constraint.kind} does not compile: {first}; simplify it or mend what is named"
    )
