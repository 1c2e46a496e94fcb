"""Tool calls in text, one file a dialect; each offers ``parsed(text)``."""

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
