"""What is asked of an assistant, and the manners in which it may be answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eft_integrations.tiny.chatml import Call, Turn

Tool = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One conversation up to the point where the assistant answers.

    ``helpful`` is the one manner that fine-tuning teaches; ``harmless`` the other tuned member's.
    ``others`` are further manners of the web, among which pre-training picks. ``calls`` stand
    behind every answer. ``expect`` is what an evaluation holds an answer against.
    """

    kind: str
    turns: tuple[Turn, ...]
    helpful: str
    harmless: str | None = None
    others: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    calls: tuple[Call, ...] = ()
    expect: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def answer(self, manner: str) -> Turn:
        """The assistant's turn in the manner of ``helpful`` or ``harmless``."""
        plain = self.helpful if manner == "helpful" or self.harmless is None else self.harmless
        return Turn("assistant", plain, self.calls)
