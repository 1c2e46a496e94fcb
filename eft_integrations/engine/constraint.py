"""Grammars for the output; the only file that knows the grammar library (llguidance)."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from secrets import token_hex
from typing import Any

import torch
from llguidance import LLMatcher, LLTokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from eft_integrations.engine.closing import MAX_DETOURS, Closings, allowed
from eft_integrations.errors import InvalidRequest
from eft_integrations.request import Constraint
from eft_integrations.rule import sent

# No output whose shortest form is longer is closed.
_LONGEST = 2048
# A closing is watched once no more tokens are left than this many times the shortest output, and
# some: by then every sensible output still has room to close.
_WATCH_FACTOR = 2
_WATCH_MARGIN = 32
# After a search in vain the next one waits for so many tokens.
_REST = 8
_MAX_REASON = 300


class Grammars:
    """Compiles constraints against one tokenizer; equal constraints once."""

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
        self._library = LLTokenizer(
            _unspellable(tokenizer),
            n_vocab=width,
            eos_token=self.end_ids or tokenizer.eos_token_id,
        )
        self.closings = Closings(size, self._read)
        self._lock = threading.Lock()
        self._compiled = lru_cache(maxsize=64)(self._compile)

    def _read(self, token_id: int) -> str:
        if self._library.is_special_token(token_id):
            return ""
        return str(self._library.decode_bytes([token_id]).decode(errors="replace"))

    def compile(self, constraint: Constraint) -> Grammar:
        """A fresh grammar; raises ``InvalidRequest`` with the library's reason."""
        try:
            source = _source(constraint)
        except (ValueError, TypeError) as error:
            raise _refused(constraint, str(error)) from error
        with self._lock:
            compiled = self._compiled(source)
            if compiled.problem:
                raise _refused(constraint, compiled.problem)
            matcher = compiled.matcher.deep_copy()
        watch_from = compiled.watch_from if constraint.close_within_budget else 0
        return Grammar(matcher, self, watch_from)

    def _compile(self, source: str) -> _Compiled:
        problem = LLMatcher.validate_grammar(source, self._library)
        if problem:
            return _Compiled(None, problem, 0)
        matcher = LLMatcher(self._library, source, log_level=0)
        shortest = self.closings.search(matcher, _LONGEST, num_detours=1)
        watch_from = 0 if shortest is None else _WATCH_FACTOR * len(shortest) + _WATCH_MARGIN
        return _Compiled(matcher, "", watch_from)


@dataclass(frozen=True)
class _Compiled:
    """A matcher in its first state, or the reason why there is none."""

    matcher: Any
    problem: str
    watch_from: int


class Grammar:
    """The state of one constrained output."""

    def __init__(self, matcher: LLMatcher, home: Grammars, watch_from: int) -> None:
        self._matcher = matcher
        self._home = home
        self._watch_from = watch_from
        self._closing: list[int] | None = None  # completes the output from the present state
        self._is_following = False
        self._rest = 0
        self._num_detours = MAX_DETOURS

    @property
    def is_closed(self) -> bool:
        """The output is complete, and nothing may or will follow."""
        followed = self._is_following and not self._closing
        return followed or bool(self._matcher.is_stopped())

    def mask(self, device: torch.device) -> Tensor:
        """Bool [size]: the tokens that may come next."""
        return sent(allowed(self._matcher, self._home.size), device)

    def advance(self, token_id: int, *, is_end: bool = False) -> None:
        """Consume a token that the mask allows; an end token leaves the grammar as it is."""
        if not is_end and not self._matcher.consume_token(token_id):
            raise RuntimeError(f"the grammar refused {token_id}: {self._matcher.get_error()}")

    def forced(self) -> list[int]:
        """What must come next, as far as that is certain."""
        if self._is_following and self._closing:
            return list(self._closing)
        return list(self._matcher.compute_ff_tokens())

    def copy(self) -> Grammar:
        """The same state, to try a draft on."""
        return Grammar(self._matcher.deep_copy(), self._home, self._watch_from)

    def within_budget(self, token_id: int, num_left: int) -> int:
        """``token_id``, or the next token of a closing where after it none would fit any more.

        ``num_left`` tokens may still be written, this one included. Once a closing is begun it is
        followed to its end. Where not even a closing fits, ``token_id`` stands.
        """
        if self._is_following and self._closing:
            return self._closing.pop(0)
        if num_left > self._watch_from or self._rest or token_id in self._home.end_ids:
            self._rest = max(0, self._rest - 1)
            self._closing = None
            return token_id
        closing = self._closing_after(token_id, num_left - 1)
        if closing is None:
            return self._closed_now(token_id, num_left)
        self._closing = closing
        return token_id

    def _closed_now(self, token_id: int, num_left: int) -> int:
        """The first token of a closing from the present state, if one fits."""
        if self._closing is None:
            self._closing = self._home.closings.search(self._matcher, num_left, self._num_detours)
        self._is_following = bool(self._closing)
        if not self._closing:
            self._rest, self._num_detours = _REST, 0
            return token_id
        return self._closing.pop(0)

    def _closing_after(self, token_id: int, max_len: int) -> list[int] | None:
        """A closing once ``token_id`` is written; often the one already known still serves."""
        known = self._closing
        if known and known[0] == token_id:
            return known[1:]
        after = self._matcher.deep_copy()
        after.consume_token(token_id)
        if known and len(known) <= max_len and after.validate_tokens(known) == len(known):
            closed = after.deep_copy()
            closed.consume_tokens(known)
            if closed.is_accepting():
                return known
        return self._home.closings.search(after, max_len, self._num_detours)


def _unspellable(tokenizer: PreTrainedTokenizerFast) -> str:
    """The tokenizer as JSON, its control tokens under names that no text spells.

    What a grammar forces is encoded as text, and a schema may hold "<|im_end|>" as a value: that
    is plain text. Our own grammars name control tokens by their ids.
    """
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    mark, model = token_hex(8), told["model"]
    names = {
        one["content"]: mark + one["content"] for one in told["added_tokens"] if one["special"]
    }
    for one in told["added_tokens"]:
        one["content"] = names.get(one["content"], one["content"])
    if isinstance(model["vocab"], dict):
        model["vocab"] = {names.get(name, name): i for name, i in model["vocab"].items()}
    else:  # a unigram model: pairs of name and score
        model["vocab"] = [[names.get(name, name), score] for name, score in model["vocab"]]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    return json.dumps({**told, "padding": None, "truncation": None})


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
    told = " ".join(reason.split())[:_MAX_REASON] or "no reason given"
    return InvalidRequest(
        f"{constraint.kind} does not compile: {told}; simplify it or mend what is named"
    )
