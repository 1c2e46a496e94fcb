"""Checks of single values: each returns the value it was given, or raises ``InvalidRequest``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import wraps
from typing import Any, TypeVar

from eft_integrations.errors import InvalidRequest, refuse_unknown

T = TypeVar("T")


def refusing_unknown(cls: type[T]) -> type[T]:
    """A settings class whose constructor refuses an unknown keyword with a suggestion."""
    init: Any = cls.__init__
    known = list(cls.__dataclass_fields__)  # type: ignore[attr-defined] # dataclasses only

    @wraps(init)
    def checked(self: T, /, *args: Any, **kwargs: Any) -> None:
        refuse_unknown(f"keyword of {cls.__name__}", kwargs, known)
        init(self, *args, **kwargs)

    cls.__init__ = checked  # type: ignore[method-assign, assignment] # the point of it
    return cls


def number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: float = -math.inf,
) -> float:
    """A finite int or float with ``low <= value <= high`` and ``value > above``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
        raise InvalidRequest(f"{name} must be a finite number, got {value!r}")
    if not (low <= value <= high and value > above):
        raise InvalidRequest(f"{name} must be {_interval(low, high, above)}, got {value!r}")
    return float(value)


def integer(name: str, value: object, *, low: int, high: int | None = None) -> int:
    """A whole number with ``low <= value <= high``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"{name} must be a whole number, got {value!r}")
    if value < low or (high is not None and value > high):
        limit = f"at least {low}" if high is None else f"from {low} to {high}"
        raise InvalidRequest(f"{name} must be {limit}, got {value}")
    return value


def flag(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} must be True or False, got {value!r}")
    return value


def strings(name: str, value: object) -> tuple[str, ...]:
    """One non-empty string, or several."""
    if value is None:
        return ()
    items = (value,) if isinstance(value, str) else value
    if not isinstance(items, Sequence):
        raise InvalidRequest(f"{name} must be a string or a list of strings, got {value!r}")
    out = tuple(items)
    for item in out:
        if not isinstance(item, str) or not item:
            raise InvalidRequest(f"{name} must hold non-empty strings, got {item!r}")
    return out


def header(name: str, value: str) -> str:
    """A text that a header of HTTP can carry; it is not shown, since it may be a secret."""
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise InvalidRequest(
            f"{name} must be printable ASCII with no white space around it, got a text of "
            f"{len(value)} characters that is not; look for a line break at its end"
        )
    return value


def token_ids(name: str, value: object) -> tuple[int, ...]:
    """A list of token ids, each a whole number of at least 0."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise InvalidRequest(f"{name} must be a list of token ids, got {value!r}")
    return tuple(integer(f"{name} (each id)", item, low=0) for item in value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _interval(low: float, high: float, above: float) -> str:
    parts = []
    if math.isfinite(above):
        parts.append(f"above {above:g}")
    if math.isfinite(low):
        parts.append(f"at least {low:g}")
    if math.isfinite(high):
        parts.append(f"at most {high:g}")
    return " and ".join(parts)
