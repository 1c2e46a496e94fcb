"""What was typed → values: coefficients, named members, settings. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from eft_integrations.errors import InvalidRequest
from eft_integrations.mixture import Mixture

_NAME = re.compile(r"[A-Za-z_][\w.-]*")


def mixture(
    alpha: Sequence[str] = (), beta: float | None = None, filter_top_p: float | None = None
) -> Mixture:
    """The mixture of the options; without a form where neither alpha nor beta was given."""
    return Mixture(alpha=alphas(alpha), beta=beta, filter_top_p=filter_top_p)


def alphas(words: Sequence[str]) -> float | dict[str, float] | None:
    """``0.5``, or ``name=0.7`` for each of several tuned members; None for no words."""
    if not words:
        return None
    split = [_split(word) for word in words]
    pairs = dict(split)
    if None not in pairs and len(pairs) < len(split):
        raise InvalidRequest(f"alpha names a tuned member twice: {' '.join(words)!r}")
    if None not in pairs:
        return {str(name): value for name, value in pairs.items()}
    if len(words) > 1:
        raise InvalidRequest(
            f"alpha is one number, or name=number for each tuned member, got {' '.join(words)!r}"
        )
    return pairs[None]


def _split(word: str) -> tuple[str | None, float]:
    name, mark, number = word.rpartition("=")
    try:
        return (name if mark else None), float(number)
    except ValueError:
        raise InvalidRequest(f"alpha must be a number or name=number, got {word!r}") from None


def number(name: str, words: Sequence[str]) -> float | None:
    """The one number among the words; None for no words."""
    if not words:
        return None
    try:
        (value,) = map(float, words)
    except ValueError:
        raise InvalidRequest(f"{name} must be one number, got {' '.join(words)!r}") from None
    return value


def members(option: str, words: Sequence[str]) -> str | dict[str, str] | None:
    """A path, or ``name=path`` once or more; None for no words. ``./a=b`` is a path."""
    if not words:
        return None
    named = dict(_named(word) for word in words)
    if None not in named:
        if len(named) < len(words):
            raise InvalidRequest(f"{option} gives a name twice: {' '.join(words)}")
        return {str(name): path for name, path in named.items()}
    if len(words) > 1:
        raise InvalidRequest(
            f"several {option} need a name each, got {' '.join(words)!r}; "
            f"write {option} first=PATH {option} second=PATH"
        )
    return named[None]


def _named(word: str) -> tuple[str | None, str]:
    name, mark, path = word.partition("=")
    return (name, path) if mark and _NAME.fullmatch(name) else (None, word)


def settings(words: Sequence[str]) -> dict[str, object]:
    """``name=value`` → option and value, read as JSON where it is JSON; ``name=`` is None."""
    found: dict[str, object] = {}
    for word in words:
        name, mark, value = word.partition("=")
        if not mark:
            raise InvalidRequest(f"a setting is name=value, got {word!r}")
        found[name] = _value(value)
    return found


def _value(text: str) -> object:
    try:
        return json.loads(text) if text else None
    except json.JSONDecodeError:
        return text


def spelled(options: Mapping[str, object]) -> str:
    """Settings as they are typed."""
    return " ".join(f"{name}={value}" for name, value in options.items()) or "none"
