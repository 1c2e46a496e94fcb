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
    the opening mark. ``response``: JSON of this schema in place of text. ``is_thinking``: the
    prompt has opened a ``<think>`` that comes first. ``mark_id``: the token id of the opening mark
    where it is a control token.
    """

    dialect: Dialect
    calls: Mapping[str, Any] = field(default_factory=dict)
    must_call: bool = False
    may_repeat: bool = True
    forbids_calls: bool = False
    response: Mapping[str, Any] | None = None
    is_thinking: bool = False
    mark_id: int | None = None


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


def _text_or_calls(form: Form) -> list[str]:
    if form.dialect.is_leading:
        return ["TEXT | opening calls", _text(form), _opening(form)]
    if form.mark_id is not None:  # a control token ends a text by itself
        return ["TEXT | TEXT opening calls", _text(form), _opening(form)]
    lazy = f"prefix[suffix={_quoted(form.dialect.opening)}]: {_ANYTHING}"
    return ["TEXT | prefix calls", _text(form), lazy]


def _text(form: Form) -> str:
    """Text in which no call begins."""
    if form.mark_id is not None:
        return f"TEXT: {_ANYTHING}"
    mark = re.escape(form.dialect.opening).replace("/", "\\/")
    if form.dialect.is_leading:
        return f"TEXT: {_ANYTHING} & ~/(?s:{mark}.*)/"
    return f"TEXT: {_ANYTHING} & ~/(?s:.*{mark}.*)/"


def _opening(form: Form) -> str:
    mark = _quoted(form.dialect.opening) if form.mark_id is None else f"<[{form.mark_id}]>"
    return f"opening: {mark}"


def _calls(form: Form) -> list[str]:
    dialect = form.dialect
    more = ""
    if form.may_repeat and dialect.joint is not None:
        more = f" ({_quoted(dialect.joint)} call)*"
    calls = f"calls: {_pieces(dialect.start)}call{more}{_pieces(dialect.end, before=' ')}"
    either = " | ".join(f"call_{number}" for number in range(len(form.calls)))
    rules = [calls, f"call: {either}"]
    for number, (name, schema) in enumerate(form.calls.items()):
        begin = dialect.head + json.dumps(name, ensure_ascii=False) + dialect.middle
        rules.append(
            f"call_{number}: {_quoted(begin)} arguments_{number} {_quoted(dialect.tail)}\n"
            f"arguments_{number}: %json {json.dumps(for_arguments(schema))}"
        )
    return rules


def _pieces(literal: str, before: str = "") -> str:
    if not literal:
        return ""
    return f"{before}{_quoted(literal)}{'' if before else ' '}"


def _quoted(literal: str) -> str:
    return json.dumps(literal)
