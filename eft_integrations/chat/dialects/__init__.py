"""Tool calls in text, one file a dialect: its ``DIALECT``."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a model writes calls, as the literal pieces around names and arguments.

    ``text opening start call (joint call)* end``, where a call is
    ``head "name" middle {arguments} tail``. ``signs``: what betrays the dialect in a chat template.
    ``is_leading``: a call is the whole answer, with no text before. ``joint`` None: one call only.
    ``quotes_names``: names are JSON strings; else they stand as they are, up to ``middle``.
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
    quotes_names: bool = True

    def named(self, name: str) -> str:
        """A tool's name as calls write it."""
        return json.dumps(name, ensure_ascii=False) if self.quotes_names else name

    @property
    def literals(self) -> str:
        """All that is written around names and arguments."""
        pieces = (self.opening, self.start, self.head, self.middle, self.tail, self.end)
        return "\n".join([*pieces, self.joint or ""])
