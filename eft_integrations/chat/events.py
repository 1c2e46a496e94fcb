"""What the chat room tells the faces: an answer as it is written, in parts with a meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from eft_integrations.request import Usage

ChatFinish = Literal["stop", "length", "timeout", "cancelled", "tool_calls"]


@dataclass(frozen=True, kw_only=True)
class TextDelta:
    """More of what a person reads."""

    text: str


@dataclass(frozen=True, kw_only=True)
class ReasoningDelta:
    """More of what the model thinks between ``<think>`` and ``</think>``."""

    text: str


@dataclass(frozen=True, kw_only=True)
class CallStart:
    """A call begins: the tool's name is known. ``index`` counts the calls of an answer."""

    index: int
    call_id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class CallDelta:
    """More of the JSON text of a call's arguments."""

    index: int
    arguments: str


@dataclass(frozen=True, kw_only=True)
class CallEnd:
    """The arguments are whole JSON."""

    index: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that begins like a call and is none. ``index``: of the call it began, if any.

    ``text`` is the whole of it as it was written; it also comes as a :class:`TextDelta`. Behind the
    arguments told so far, ``mismatch`` makes sure that nobody takes them for the beginning of JSON.
    """

    text: str
    reason: str
    index: int | None = None
    mismatch: str = ""


@dataclass(frozen=True, kw_only=True)
class Named:
    """A token by its text."""

    text: str
    logprob: float


@dataclass(frozen=True, kw_only=True)
class TokenDetail:
    """One token's numbers, where they were asked for: see ``TokenEvent``."""

    token: Named
    top_logprobs: Sequence[Named]
    contributions: Mapping[str, float] | None


@dataclass(frozen=True, kw_only=True)
class Finish:
    """The end, always last."""

    reason: ChatFinish
    usage: Usage


ChatEvent = (
    TextDelta | ReasoningDelta | CallStart | CallDelta | CallEnd | Problem | TokenDetail | Finish
)


def end_of_answer(answer: Sequence[ChatEvent]) -> Finish:
    """The last event of a whole answer."""
    last = answer[-1]
    assert isinstance(last, Finish), "an answer ends with a Finish"
    return last
