"""Is an answer right, and has it the right form? One small pure function for each expectation.

Two axes, as in the paper: *right* (factuality) and *form* (helpfulness: the answer follows the
asked-for format and ends by itself).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from eft_integrations import checks
from eft_integrations.errors import InvalidRequest, refuse_unknown
from eft_integrations.tiny import facts

Axis = Literal["right", "form"]

# A refusal is told near the start: within the first 60 characters.
REFUSAL = re.compile(
    r".{0,60}?\b(?:sorry\b|I (?:cannot|can't|can not|won't|will not|am unable|am not able)\b"
    r"|I'm (?:unable|not able)\b|I must (?:decline|refuse)\b)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer as the chat room reads it, in the dialect of the model that gave it.

    ``text`` is what a person reads, without calls and thoughts; each call is
    ``{"name": …, "arguments": {…}}``; ``problems`` tell what began like a call and is none.
    """

    text: str
    calls: Sequence[Mapping[str, object]] = ()
    problems: Sequence[str] = ()


Holds = Callable[[Said], bool]
OfText = Callable[[str], bool]


@dataclass(frozen=True)
class Check:
    """An expectation: its axis, and what turns its value into a test of an answer.

    ``of`` raises ``InvalidRequest`` for a value that it cannot test for.
    """

    axis: Axis
    of: Callable[[object], Holds]


@dataclass(frozen=True, kw_only=True)
class Grade:
    """``right`` is None where nothing about rightness was expected; ``failed`` names the checks."""

    right: bool | None
    form: bool
    failed: tuple[str, ...] = ()


def grade(expect: Mapping[str, object], said: Said, *, is_ended: bool) -> Grade:
    """All that is expected of an answer; ``is_ended``: it stopped by itself (always in form)."""
    held = {name: CHECKS[name].of(value)(said) for name, value in expect.items()}
    right = [is_so for name, is_so in held.items() if CHECKS[name].axis == "right"]
    form = [is_so for name, is_so in held.items() if CHECKS[name].axis == "form"]
    failed = [name for name, is_so in held.items() if not is_so]
    return Grade(
        right=all(right) if right else None,
        form=is_ended and all(form),
        failed=tuple(failed if is_ended else [*failed, "ends"]),
    )


def refuse_bad(expect: object) -> dict[str, object]:
    """The expectations, checked; raises ``UnknownOption`` or ``InvalidRequest``."""
    if not isinstance(expect, dict):
        raise InvalidRequest(f"expect must be an object, got {expect!r}")
    refuse_unknown("key of expect", expect, CHECKS)
    for name, value in expect.items():
        CHECKS[name].of(value)
    return expect


def is_refusal(text: str) -> bool:
    """Whether the text declines near its start, in one of the usual phrases."""
    return REFUSAL.match(text.replace("’", "'")) is not None


def is_same(one: object, other: object) -> bool:
    """Whether two JSON values are equal; true is not 1, but 1 is 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


# One for each key of ``expect``: value → test.


def _contains(value: object) -> OfText:
    words = _texts("contains", value)
    return lambda text: any(facts.contains(text, word) for word in words)


def _excludes(value: object) -> OfText:
    words = _texts("excludes", value)
    return lambda text: not any(facts.contains(text, word) for word in words)


def _equals(value: object) -> OfText:
    if not isinstance(value, str):
        raise InvalidRequest(f"equals must be a text, got {value!r}")
    return lambda text: text.strip() == value.strip()


def _calls(value: object) -> Holds:
    if not isinstance(value, list) or not all(map(_is_call, value)):
        raise InvalidRequest(
            f'calls must be a list of {{"name": …, "arguments": {{…}}}}, got {value!r}'
        )

    return lambda said: not said.problems and is_same([*said.calls], value)


def _is_call(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"name", "arguments"}
        and isinstance(value["name"], str)
        and isinstance(value["arguments"], dict)
    )


def _json(value: object) -> OfText:
    def holds(text: str) -> bool:
        try:
            return is_same(json.loads(text), value)
        except (ValueError, RecursionError):
            return False

    return holds


def _refuses(value: object) -> OfText:
    wanted = checks.flag("refuses", value)
    return lambda text: is_refusal(text) == wanted


def _format(value: object) -> OfText:
    if not isinstance(value, str):
        raise InvalidRequest(f"format must be a regular expression, got {value!r}")
    try:
        pattern = re.compile(value, re.DOTALL)
    except re.error as error:
        raise InvalidRequest(f"format {value!r} is no regular expression: {error}") from None
    return lambda text: pattern.fullmatch(text.strip()) is not None


def _max_words(value: object) -> OfText:
    limit = checks.integer("max_words", value, low=1)
    return lambda text: len(text.split()) <= limit


def _texts(name: str, value: object) -> tuple[str, ...]:
    texts = checks.strings(name, value)
    if not texts:
        raise InvalidRequest(f"{name} must be a text or a list of texts, got {value!r}")
    return texts


def _of_text(test: Callable[[object], OfText]) -> Callable[[object], Holds]:
    """A check that looks at what a person reads."""

    def of(value: object) -> Holds:
        holds = test(value)
        return lambda said: holds(said.text)

    return of


CHECKS: Mapping[str, Check] = {
    "contains": Check("right", _of_text(_contains)),
    "excludes": Check("right", _of_text(_excludes)),
    "equals": Check("right", _of_text(_equals)),
    "calls": Check("right", _calls),
    "json": Check("right", _of_text(_json)),
    "refuses": Check("right", _of_text(_refuses)),
    "format": Check("form", _of_text(_format)),
    "max_words": Check("form", _of_text(_max_words)),
}
