"""The embedded demonstration family: small members that show up-scaling offline.

Importing this room is light; only the files that build or measure the family need torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eft_integrations.errors import LoadError, refuse_unknown

MEMBERS = ("base", "reference", "helpful", "harmless", "ceiling")
TUNED = ("helpful", "harmless")
SPLITS = ("heldout", "dev")

_ROOM = Path(__file__).parent


@dataclass(frozen=True)
class Question:
    """A question with its one right answer; `is_apart` marks a wording foreign to training."""

    question: str
    answer: str
    relation: str
    is_apart: bool = False


def member_path(name: str) -> Path:
    """The folder of a member, as `from_pretrained` takes it; raises `LoadError` if unknown."""
    if name not in MEMBERS:
        known = ", ".join(MEMBERS)
        raise LoadError(f"the embedded family has no member {name!r}; known: {known}")
    return _ROOM / "weights" / name


def trio(tuned: str | Sequence[str] = "helpful") -> dict[str, Any]:
    """The settings that name an engine's members: one tuned member, or several by their names."""
    if isinstance(tuned, str):
        members: Path | dict[str, Path] = _tuned_path(tuned)
    else:
        members = {name: _tuned_path(name) for name in tuned}
    return {
        "base": member_path("base"),
        "tuned": members,
        "reference": member_path("reference"),
    }


def _tuned_path(name: str) -> Path:
    refuse_unknown("tuned member of the embedded family", [name], TUNED)
    return member_path(name)


def question_files(split: str) -> tuple[Path, ...]:
    """The question sets of a split, ``"heldout"`` or ``"dev"``, as `eft evaluate` reads them."""
    refuse_unknown("split of the embedded questions", [split], SPLITS)
    return tuple(sorted((_ROOM / "data" / split).glob("*.jsonl")))


def report_path() -> Path:
    """The folder with the `report.json` that `eft evaluate` wrote for the family."""
    return _ROOM / "data" / "report"


def _questions(split: str) -> tuple[Question, ...]:
    lines = (_ROOM / "data" / split / "fact.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(_question(json.loads(line)) for line in lines)


def _question(item: dict[str, Any]) -> Question:
    return Question(
        question=item["messages"][-1]["content"],
        answer=item["expect"]["contains"],
        relation=item["tags"][0],
        is_apart="apart" in item["tags"],
    )


def heldout_questions() -> tuple[Question, ...]:
    """Questions about facts that training text only ever states, for final measurements."""
    return _questions("heldout")


def dev_questions() -> tuple[Question, ...]:
    """Questions of the same kind on other facts, for choosing settings."""
    return _questions("dev")
