"""Tool calls in text, one file a dialect: its ``DIALECT``, and for some ``parsed(text)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Call:
    """One tool call: the tool's name, and its arguments as JSON values."""

    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A text taken apart: what a person reads, the calls in order, and what would not parse.

    Whatever is named in ``problems`` is still in ``text``: nothing is dropped.
    """

    text: str
    calls: tuple[Call, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a model writes calls, as the literal pieces around names and arguments.

    ``text opening start call (joint call)* end``, where a call is
    ``head "name" middle {arguments} tail``. ``signs``: what betrays the dialect in a chat template.
    ``is_leading``: a call is the whole answer, with no text before. ``joint`` None: one call only.
    """

    name: str
    signs: tuple[str, ...]
    opening: str
    head: str
    middle: str
    tail: str
    start: str = ""
    joint: str | None = None
    end: str = ""
    is_leading: bool = False
