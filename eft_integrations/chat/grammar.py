"""Tools, choice of tool and response format → one grammar (Lark, as llguidance reads it).

Free text runs until a dialect's opening mark; from there on only a valid call may follow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eft_integrations.chat.dialects import Dialect
from eft_integrations.chat.schema import for_arguments, for_output

_ANYTHING = "/(?s:.*)/"
_THINK_END = "</think>"


@dataclass(frozen=True, kw_only=True)
class Form:
    """What an answer may be.

    ``calls``: tools by name with the schema of their arguments, those that may be called.
    ``must_call``: no text instead. ``may_repeat``: several calls. ``forbids_calls``: text without
    the opening mark. ``response``: JSON of this schema in place of text. ``react``: the lines of
    ReAct in place of all that, with tools by name as in ``calls``. ``is_thinking``: the
    prompt has opened a ``<think>`` that comes first. ``marks``: the token ids of those pieces of
    the dialect that are control tokens.
    """

    dialect: Dialect
    calls: Mapping[str, Any] = field(default_factory=dict)
    must_call: bool = False
    may_repeat: bool = True
    forbids_calls: bool = False
    response: Mapping[str, Any] | None = None
    react: Mapping[str, Any] = field(default_factory=dict)
    is_thinking: bool = False
    marks: Mapping[str, int] = field(default_factory=dict)

    @property
    def opens_with_token(self) -> bool:
        return self.dialect.opening in self.marks


def lark(form: Form) -> str | None:
    """The grammar of a form; None where anything may be written."""
    body = _body(form)
    if body is None:
        return None
    rules = [f"start: {body[0]}", *body[1:]]
    if form.is_thinking:
        thought = f"think[suffix={_quoted(_THINK_END)}]: {_ANYTHING}"
        rules = ["start: think /\\s*/ body", thought, f"body: {body[0]}", *body[1:]]
    return "\n".join(rules) + "\n"


def _body(form: Form) -> list[str] | None:
    """The alternatives of an answer, and then the rules that they name."""
    if form.react:
        return _react(form.react)
    if form.response is not None:
        answer = f"answer: %json {json.dumps(for_output(form.response))}"
        if not form.calls:
            return ["answer", answer]
        if not form.must_call:
            return ["answer | opening calls", answer, _opening(form), *_calls(form)]
    if form.calls and form.must_call:
        return ["opening calls", _opening(form), *_calls(form)]
    if form.calls:
        return [*_text_or_calls(form), *_calls(form)]
    return ["TEXT", _text(form)] if form.forbids_calls else None


def _react(tools: Mapping[str, Any]) -> list[str]:
    """A thought of one line, and one action with its input or an answer (arXiv 2210.03629).

    In thoughts of several lines a small model finds no end.
    """
    rules = ["LINE: /[^\\n]+/", "TOLD: /(?s:.+)/"]
    for number, (name, schema) in enumerate(tools.items()):
        begin = _quoted(f"Action: {name}\nAction Input: ")
        rules.append(f"action_{number}: {begin} input_{number}")
        rules.append(f"input_{number}: %json {json.dumps(for_arguments(schema))}")
    actions = " | ".join(f"action_{number}" for number in range(len(tools)))
    return [f'"Thought: " LINE "\\n" ({actions} | "Answer: " TOLD)', *rules]


def _text_or_calls(form: Form) -> list[str]:
    if form.dialect.is_leading:
        return ["TEXT | opening calls", _text(form), _opening(form)]
    if form.opens_with_token:  # a control token ends a text by itself
        return ["TEXT | TEXT opening calls", _text(form), _opening(form)]
    lazy = f"prefix[suffix={_quoted(form.dialect.opening)}]: {_ANYTHING}"
    return ["TEXT | prefix calls", _text(form), lazy]


def _text(form: Form) -> str:
    """Text in which no call begins."""
    if form.opens_with_token:
        return f"TEXT: {_ANYTHING}"
    mark = re.escape(form.dialect.opening).replace("/", "\\/")
    if form.dialect.is_leading:
        return f"TEXT: {_ANYTHING} & ~/(?s:{mark}.*)/"
    return f"TEXT: {_ANYTHING} & ~/(?s:.*{mark}.*)/"


def _opening(form: Form) -> str:
    return f"opening: {_literal(form, form.dialect.opening)}"


def _calls(form: Form) -> list[str]:
    dialect = form.dialect
    more = ""
    if form.may_repeat and dialect.joint is not None:
        more = f" ({_literal(form, dialect.joint)} call)*"
    calls = f"calls: {_literal(form, dialect.start)} call{more} {_literal(form, dialect.end)}"
    either = " | ".join(f"call_{number}" for number in range(len(form.calls)))
    rules = [calls, f"call: {either}"]
    for number, (name, schema) in enumerate(form.calls.items()):
        begin = _literal(form, dialect.head + dialect.named(name) + dialect.middle)
        rules.append(
            f"call_{number}: {begin} arguments_{number} {_literal(form, dialect.tail)}\n"
            f"arguments_{number}: %json {json.dumps(for_arguments(schema))}"
        )
    return rules


def _literal(form: Form, text: str) -> str:
    """A literal as terminals, its control tokens by their ids; nothing for no text."""
    signs = "|".join(map(re.escape, form.marks))
    pieces = re.split(f"({signs})", text) if signs else [text]
    terminals = (f"<[{form.marks[p]}]>" if p in form.marks else _quoted(p) for p in pieces if p)
    return " ".join(terminals)


def _quoted(literal: str) -> str:
    return json.dumps(literal)
