"""Answers read by a tokenizer's own ``response_template``, with the parser of transformers.

Format: https://huggingface.co/docs/transformers/chat_response_parsing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from eft_integrations.chat import repair
from eft_integrations.chat.dialects import Dialect
from eft_integrations.chat.dialects.choice import DIALECTS
from eft_integrations.chat.events import (
    CallDelta,
    CallEnd,
    CallStart,
    ChatEvent,
    Problem,
    ReasoningDelta,
    TextDelta,
)
from eft_integrations.chat.reader import end_of, mark_of, new_call_id
from eft_integrations.request import TokenEvent

CALLS = "tool_calls"
_THOUGHTS = frozenset({"reasoning_content", "reasoning", "thinking"})
# A template is foreign code: its parsers and transforms raise these for what they cannot read.
UNREADABLE = (ValueError, KeyError, TypeError, RecursionError)
_PROBE = {"name": "probe", "arguments": {"text": "a b"}}


def dialect_read_by(tokenizer: Any) -> Dialect | None:
    """The dialect whose calls the tokenizer's template reads; None where it reads others."""
    return next((d for d in DIALECTS.values() if _is_read(tokenizer, d)), None)


def _is_read(tokenizer: Any, dialect: Dialect) -> bool:
    try:
        message = tokenizer.parse_response(repair.written([_PROBE], dialect), prefix="")
        return [dict(called) for called in _functions(message.get(CALLS))] == [_PROBE]
    except UNREADABLE:
        return False


class TemplateReader:
    """Reads one answer, like :class:`Reader`; a call is told once it has ended.

    ``parser``: a fresh ``ResponseParser`` that has read the prompt. ``marks``: the text of control
    tokens, which the engine's text leaves out. What cannot be read is told as text, with all that
    follows it. ``may_call``, ``tells_thoughts``: where false, these parts are text as well.
    """

    def __init__(
        self, parser: Any, marks: Mapping[int, str], *, may_call: bool, tells_thoughts: bool
    ) -> None:
        self._parser = parser
        self._marks = marks
        self._may_call = may_call
        self._tells_thoughts = tells_thoughts
        self._num_calls = 0
        self._untold = ""  # what was read and not told so far
        self._space = ""  # white space at the end of a part is layout
        self._is_fresh = True
        self._is_broken = False

    def take(self, event: TokenEvent) -> list[ChatEvent]:
        """What this token completes; the last event brings what was held back, and the end."""
        told = [each for char in event.text for each in self._read(char)]
        told += self._read(mark_of(event, self._marks))
        if event.finish_reason is not None:
            told += [*self._read("", is_last=True), *end_of(event, has_called=self._num_calls > 0)]
        return told

    def _read(self, text: str, *, is_last: bool = False) -> list[ChatEvent]:
        """Bit by bit: where the parser fails, it keeps what it found in the same bit."""
        if self._is_broken:
            return [TextDelta(text=text)] if text else []
        self._untold += text
        told: list[ChatEvent] = []
        try:
            for part in self._parser.finalize()[1] if is_last else self._parser.feed(text):
                told.extend(self._told(part))
        except UNREADABLE as error:
            self._is_broken = True
            told.append(Problem(text=self._untold, reason=f"the answer does not parse: {error}"))
            told.extend([TextDelta(text=self._untold)] if self._untold else [])
        return told

    def _told(self, part: Mapping[str, Any]) -> Iterator[ChatEvent]:
        """The chat events of an event of the parser: a part opens, goes on, or closes."""
        is_call = part["field"] == CALLS
        if part["type"] == "region_open":
            self._is_fresh, self._space = True, ""
        elif part["type"] == "region_chunk" and not is_call:
            self._untold = self._untold.partition(part["text"])[2]
            yield from self._say(part["field"], part["text"])
        elif part["type"] == "region_close" and is_call:
            if self._may_call:
                yield from self._called(part["value"])
            else:
                yield TextDelta(text=self._untold)
            self._untold = ""

    def _say(self, field: str, text: str) -> Iterator[ChatEvent]:
        text = self._space + text
        shown = text.rstrip()
        self._space = text[len(shown) :]
        shown = shown.lstrip() if self._is_fresh else shown
        if shown:
            self._is_fresh = False
            is_thought = field in _THOUGHTS and self._tells_thoughts
            yield ReasoningDelta(text=shown) if is_thought else TextDelta(text=shown)

    def _called(self, value: Any) -> Iterator[ChatEvent]:
        for function in _functions(value):
            index, self._num_calls = self._num_calls, self._num_calls + 1
            yield CallStart(index=index, call_id=new_call_id(), name=function["name"])
            arguments = json.dumps(function["arguments"], ensure_ascii=False)
            yield CallDelta(index=index, arguments=arguments)
            yield CallEnd(index=index)


def _functions(value: Any) -> list[dict[str, Any]]:
    """Name and arguments of each call; raises ``ValueError`` where it is none."""
    found = []
    for each in value if isinstance(value, list) else [value]:
        match each:
            case {"function": {"name": str(name), "arguments": arguments}}:
                found.append({"name": name, "arguments": _object(arguments)})
            case {"function": {"name": str(name)}}:
                found.append({"name": name, "arguments": {}})
            case _:
                raise ValueError(f"a call has a name and arguments, got {each!r}")
    return found


def _object(arguments: Any) -> dict[str, Any]:
    value = json.loads(arguments) if isinstance(arguments, str) else arguments
    if not isinstance(value, dict):
        raise ValueError(f"arguments must be an object, got {value!r}")
    return value
