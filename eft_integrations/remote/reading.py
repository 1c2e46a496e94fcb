"""The chunks of an OpenAI response → chat events: no loops over the wire, and no waiting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from eft_integrations.chat.arguments import Arguments
from eft_integrations.chat.events import (
    CallDelta,
    CallEnd,
    CallStart,
    ChatEvent,
    ChatFinish,
    Finish,
    Named,
    Problem,
    ReasoningDelta,
    TextDelta,
    TokenDetail,
)
from eft_integrations.chat.reader import new_call_id
from eft_integrations.errors import ServerError
from eft_integrations.request import Usage

_REASONS: Mapping[str, ChatFinish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "abort": "cancelled",  # of vLLM
}


@dataclass
class _Call:
    """A call as far as it came."""

    name: str
    text: str = ""
    arguments: Arguments = field(default_factory=Arguments)

    def take(self, text: str) -> None:
        self.text += text
        if not self.arguments.is_done:
            self.arguments.push(text)


class Choice:
    """Reads one of the answers of a response."""

    def __init__(self) -> None:
        self.told: list[ChatEvent] = []
        self.usage: Usage | None = None
        self._calls: dict[int, _Call] = {}
        self._reason: str | None = None

    def take(self, choice: Any) -> list[ChatEvent]:
        """What a chunk brings, of chat completions (``delta``) or of completions (``text``)."""
        delta = getattr(choice, "delta", None)
        told = [*_numbers(choice.logprobs), *(_text(choice.text) if delta is None else ())]
        if delta is not None:
            told += [*_thought(delta), *_text(delta.content)]
            told += [each for call in delta.tool_calls or () for each in self._called(call)]
        self._reason = choice.finish_reason or self._reason
        self.told += told
        return told

    def end(self, reason: ChatFinish | None) -> list[ChatEvent]:
        """The end; ``reason`` where it is not the server's. Raises ``ServerError``."""
        told: list[ChatEvent] = []
        for index, call in self._calls.items():
            told += [] if call.arguments.is_done else _broken(index, call)
        if self._reason is not None:
            reason = self._of_server(self._reason)
        if reason is None:
            raise ServerError("the server broke off its answer; see its log, and ask again")
        told.append(Finish(reason=reason, usage=self._counted(reason)))
        self.told += told
        return told

    def _of_server(self, reason: str) -> ChatFinish:
        if reason not in _REASONS:
            raise ServerError(f"the server ended its answer for an unknown reason: {reason!r}")
        has_called = any(call.arguments.is_done for call in self._calls.values())
        return "tool_calls" if has_called and reason == "stop" else _REASONS[reason]

    def _counted(self, reason: ChatFinish) -> Usage:
        if self.usage is not None:
            return self.usage
        if reason not in ("timeout", "cancelled"):
            raise ServerError("the server tells no usage; it must know stream_options")
        return Usage(prompt_tokens=0, completion_tokens=0)  # it was left before its first word

    def _called(self, delta: Any) -> list[ChatEvent]:
        told: list[ChatEvent] = []
        index, function = delta.index, delta.function
        if index not in self._calls:
            name = function.name
            if not name:
                raise ValueError("a call begins without the name of its tool")
            self._calls[index] = _Call(name=name)
            told.append(CallStart(index=index, call_id=delta.id or new_call_id(), name=name))
        call = self._calls[index]
        was_done = call.arguments.is_done
        if function is not None and function.arguments:
            call.take(function.arguments)
            told.append(CallDelta(index=index, arguments=function.arguments))
        return [*told, CallEnd(index=index)] if call.arguments.is_done > was_done else told


class Listener:
    """Hears a response with one or several answers."""

    def __init__(self, num_choices: int) -> None:
        self._choices = [Choice() for _ in range(num_choices)]
        self.is_over = False

    def take(self, chunk: Any) -> list[ChatEvent]:
        """What the chunk brings for the first answer; all are kept."""
        told: list[ChatEvent] = []
        for part in chunk.choices:
            choice = self._choices[part.index]
            found = choice.take(part)
            told += found if part.index == 0 else []
        self._count(chunk)
        return told

    def end(self, reason: ChatFinish | None) -> list[ChatEvent]:
        """Nothing will follow; ``reason`` where it was not the server who ended it."""
        self.is_over = True
        told = [choice.end(reason) for choice in self._choices]
        return told[0]

    @property
    def answers(self) -> list[list[ChatEvent]]:
        """All that was told, by choice."""
        return [choice.told for choice in self._choices]

    def _count(self, chunk: Any) -> None:
        """Each chunk of vLLM tells the usage of its choice, the last that of all together."""
        if chunk.usage is None or (not chunk.choices and len(self._choices) > 1):
            return
        for index in [part.index for part in chunk.choices] or [0]:
            self._choices[index].usage = _usage(chunk.usage)


def _usage(usage: Any) -> Usage:
    details = usage.prompt_tokens_details
    return Usage(
        prompt_tokens=int(usage.prompt_tokens),
        completion_tokens=usage.completion_tokens or 0,
        cached_tokens=(details.cached_tokens or 0) if details else 0,
    )


def _text(text: str | None) -> list[ChatEvent]:
    if not isinstance(text or "", str):
        raise TypeError(f"a text is {text!r}")
    return [TextDelta(text=text)] if text else []


def _thought(delta: Any) -> list[ChatEvent]:
    """vLLM's field, which others call ``reasoning_content``; OpenAI's protocol has none."""
    thought = getattr(delta, "reasoning", None) or getattr(delta, "reasoning_content", None)
    return [ReasoningDelta(text=thought)] if thought else []


def _numbers(logprobs: Any) -> list[ChatEvent]:
    if logprobs is None:
        return []
    content = getattr(logprobs, "content", None)
    return _by_column(logprobs) if content is None else [_detail(token) for token in content]


def _detail(token: Any) -> ChatEvent:
    likeliest = [Named(text=other.token, logprob=other.logprob) for other in token.top_logprobs]
    return _told(Named(text=token.token, logprob=token.logprob), likeliest)


def _by_column(logprobs: Any) -> list[ChatEvent]:
    """As completions tell them: one list a kind."""
    rows = zip_longest(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs or ())
    return [
        _told(
            Named(text=text, logprob=value),
            [Named(text=other, logprob=number) for other, number in (likeliest or {}).items()],
        )
        for text, value, likeliest in rows
    ]


def _told(token: Named, likeliest: Sequence[Named]) -> TokenDetail:
    return TokenDetail(token=token, top_logprobs=likeliest, contributions=None)


def _broken(index: int, call: _Call) -> list[ChatEvent]:
    """Half a call is text; what a server read of it is written down again."""
    text = f'{{"name": {json.dumps(call.name)}, "arguments": {call.text}'
    problem = Problem(
        text=text,
        reason="the text ends inside the call",
        index=index,
        mismatch=call.arguments.mismatch,
    )
    return [problem, TextDelta(text=text)]
