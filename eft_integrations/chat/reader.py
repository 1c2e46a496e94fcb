"""Token events → chat events, as they come: text, reasoning, calls, the end."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from eft_integrations.chat.arguments import Arguments
from eft_integrations.chat.dialects import Dialect
from eft_integrations.chat.events import (
    CallDelta,
    CallEnd,
    CallStart,
    ChatEvent,
    Finish,
    Named,
    Problem,
    ReasoningDelta,
    TextDelta,
    TokenDetail,
)
from eft_integrations.engine import Engine
from eft_integrations.request import TokenEvent

THINK, THINK_END = "<think>", "</think>"
_NAME = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_BARE_NAME = re.compile(r'[^\s\[\]{}"]+')
# Some templates take call ids of exactly nine letters and digits, and none minds them.
_ID_LEN = 9


class Reader:
    """Reads one answer. ``dialect`` None: nothing is a call. ``reads_reasoning``: tell thoughts.

    ``marks``: the text of control tokens that begin calls, which the engine's text leaves out.
    """

    def __init__(
        self,
        dialect: Dialect | None,
        *,
        reads_reasoning: bool = False,
        is_thinking: bool = False,
        marks: Mapping[int, str] | None = None,
    ) -> None:
        self._dialect = dialect
        self._marks = marks or {}
        self._state = self._thinking if is_thinking else self._plain
        self._signs = [sign for sign in (THINK,) if reads_reasoning]
        if dialect is not None and not dialect.is_leading:
            self._signs.append(dialect.opening)
        self._held = ""
        self._raw = ""  # of the call that is being read
        self._num_calls = 0
        self._num_ended = 0
        self._arguments = Arguments()
        self._is_fresh = True  # nothing was said so far
        self._skips_space = False  # around thoughts, white space is layout
        self._out: list[ChatEvent] = []

    def take(self, event: TokenEvent) -> list[ChatEvent]:
        """What this token completes; the last event brings what was held back, and the end."""
        self.push(event.text + mark_of(event, self._marks))
        if event.finish_reason is not None:
            self.flush()
            self._out.extend(end_of(event, has_called=self._num_ended > 0))
        return self._drain()

    def push(self, text: str) -> None:
        """Read on."""
        self._held += text
        while self._skip_space() and self._state():
            pass

    def _skip_space(self) -> bool:
        """Drop white space that is layout; tell whether anything is left to read."""
        if self._skips_space:
            self._held = self._held.lstrip()
            self._skips_space = not self._held
        return bool(self._held)

    def flush(self) -> None:
        """No text will follow."""
        if self._state in (self._plain, self._thinking):
            self._say(self._held, is_thought=self._state == self._thinking)
            self._held = ""
        elif self._state != self._behind:
            self._consume(self._held)
            self._break("the text ends inside the call")
        elif self._held:
            self._say(self._held)
            self._held = ""

    def _drain(self) -> list[ChatEvent]:
        drained, self._out = self._out, []
        return drained

    def _say(self, text: str, *, is_thought: bool = False) -> None:
        if text:
            self._is_fresh = False
            self._out.append(ReasoningDelta(text=text) if is_thought else TextDelta(text=text))

    # States: each reads from what is held, and tells whether it got on.

    def _thinking(self) -> bool:
        thought, end, rest = self._held.partition(THINK_END)
        if end:
            self._say(thought, is_thought=True)
            self._held, self._state, self._is_fresh = rest, self._plain, True
            self._skips_space = True
            return True
        keep = _overlap(self._held, [THINK_END])
        self._say(self._held[: len(self._held) - keep], is_thought=True)
        self._held = self._held[len(self._held) - keep :]
        return False

    def _plain(self) -> bool:
        if self._may_lead():
            assert self._dialect is not None
            return self._open(self._dialect.opening)
        found = [(at, sign) for sign in self._signs if (at := self._held.find(sign)) >= 0]
        if not found:
            return self._show_plain()
        at, sign = min(found)
        self._say(self._held[:at].rstrip())
        self._held = self._held[at:]
        if sign != THINK:
            return self._open(sign)
        self._held, self._state = self._held[len(THINK) :], self._thinking
        self._skips_space = True
        return True

    def _may_lead(self) -> bool:
        """Whether the answer begins with a call of a dialect that knows no other place for one."""
        leads = self._dialect is not None and self._dialect.is_leading and self._is_fresh
        return leads and self._dialect is not None and self._held.startswith(self._dialect.opening)

    def _show_plain(self) -> bool:
        """White space waits with what may become a sign: before a call it is none of the text."""
        keep = _overlap(self._held, self._signs)
        shown = self._held[: len(self._held) - keep]
        shown = shown.rstrip() if self._signs else shown
        self._say(shown)
        self._held = self._held[len(shown) :]
        return False

    def _open(self, opening: str) -> bool:
        self._raw = ""
        self._consume(opening)
        self._state = self._start
        return True

    def _start(self) -> bool:
        assert self._dialect is not None
        return self._expect(self._dialect.start + self._dialect.head, self._name)

    def _name(self) -> bool:
        assert self._dialect is not None
        is_quoted, middle = self._dialect.quotes_names, self._dialect.middle
        found = (_NAME if is_quoted else _BARE_NAME).match(self._held)
        if not found:
            waits = is_quoted and self._held.startswith('"')
            return not waits and self._break("its name is missing")
        behind = self._held[found.end() :]
        if not behind.startswith(middle):
            return not middle.startswith(behind) and self._break(f"{middle.strip()} is missing")
        name = json.loads(found.group()) if is_quoted else found.group()
        self._consume(found.group() + middle)
        self._out.append(CallStart(index=self._num_calls, call_id=new_call_id(), name=name))
        self._num_calls += 1
        self._arguments = Arguments()
        self._state = self._reading
        return True

    def _reading(self) -> bool:
        text = self._arguments.push(self._held)
        self._consume(text)
        if text:
            self._out.append(CallDelta(index=self._num_calls - 1, arguments=text))
        if not self._arguments.is_done:
            return False
        assert self._dialect is not None
        self._state = self._tail
        # a tail of no text is there already, and nothing may come that would call for it
        return True if self._dialect.tail else self._tail()

    def _tail(self) -> bool:
        assert self._dialect is not None
        if not self._expect(self._dialect.tail, self._behind):
            return self._state == self._plain  # it broke
        self._out.append(CallEnd(index=self._num_calls - 1))
        self._num_ended += 1
        self._raw = ""
        return True

    def _behind(self) -> bool:
        """Another call, the end of the calls, or text."""
        assert self._dialect is not None
        joint = self._dialect.joint
        if joint is not None and self._held.startswith(joint):
            self._consume(joint)
            self._state = self._again
            return True
        if joint is not None and joint.startswith(self._held):
            return False
        if self._dialect.end and self._held.startswith(self._dialect.end):
            self._held = self._held[len(self._dialect.end) :]
        self._state = self._plain
        return True

    def _again(self) -> bool:
        assert self._dialect is not None
        return self._expect(self._dialect.head, self._name)

    def _expect(self, literal: str, then: Callable[[], bool]) -> bool:
        if self._held.startswith(literal):
            self._consume(literal)
            self._state = then
            return True
        if literal.startswith(self._held):
            return False
        return self._break(f"{literal.strip()} is missing")

    def _consume(self, text: str) -> None:
        self._raw += text
        self._held = self._held[len(text) :]

    def _break(self, reason: str) -> bool:
        """What began like a call goes on as text; nothing is dropped."""
        has_begun = self._state in (self._reading, self._tail)
        text = self._raw
        if has_begun or (self._dialect is not None and not self._dialect.is_leading):
            problem = Problem(
                text=text,
                reason=reason,
                index=self._num_calls - 1 if has_begun else None,
                mismatch=self._arguments.mismatch if has_begun else "",
            )
            self._out.append(problem)
        self._say(text)
        self._raw, self._state = "", self._plain
        return True


class Takes(Protocol):
    """What reads an answer, event by event."""

    def take(self, event: TokenEvent) -> list[ChatEvent]:
        """What this token completes."""


def read(reader: Takes, events: Iterable[TokenEvent]) -> list[ChatEvent]:
    """Several events at once."""
    return [told for event in events for told in reader.take(event)]


def mark_of(event: TokenEvent, marks: Mapping[int, str]) -> str:
    """The text of a control token; one that stops the answer belongs to nothing in it."""
    if event.token_id is None or event.finish_reason == "stop":
        return ""
    return marks.get(event.token_id, "")


def detail_of(engine: Engine, event: TokenEvent) -> list[ChatEvent]:
    """The numbers of a token."""
    if event.token_id is None or event.logprob is None:
        return []
    likeliest = (event.top_logprobs or {}).items()
    detail = TokenDetail(
        token=_named(engine, event.token_id, event.logprob),
        top_logprobs=[_named(engine, token_id, value) for token_id, value in likeliest],
        contributions=event.contributions,
    )
    return [detail]


def _named(engine: Engine, token_id: int, logprob: float) -> Named:
    return Named(text=engine.encoder.decode([token_id], special=True), logprob=logprob)


def end_of(event: TokenEvent, *, has_called: bool) -> list[ChatEvent]:
    """The end of an answer that has or has not called tools."""
    if event.finish_reason is None or event.usage is None:
        return []
    is_call = has_called and event.finish_reason == "stop"
    return [Finish(reason="tool_calls" if is_call else event.finish_reason, usage=event.usage)]


def new_call_id() -> str:
    """Letters and digits at random."""
    return secrets.token_hex(_ID_LEN)[:_ID_LEN]


def _overlap(text: str, signs: Iterable[str]) -> int:
    """Length of the longest end of ``text`` with which one of ``signs`` begins."""
    return max((_begun(text, sign) for sign in signs), default=0)


def _begun(text: str, sign: str) -> int:
    longest = min(len(text), len(sign) - 1)
    return next((n for n in range(longest, 0, -1) if sign.startswith(text[-n:])), 0)
