"""Small question sets, and runs over the random trio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import Engine, Mixture
from eft_integrations.evaluation import Coefficients, Folder, Question, Run, line_up
from tests.conftest import open_trio

MAX_TOKENS = 6


def question(name: str, kind: str = "fact", **fields: Any) -> Question:
    content = f"What is {name}?"
    return Question(id=name, kind=kind, messages=[{"role": "user", "content": content}], **fields)


QUESTIONS = (
    question("a", expect={"contains": "Chad"}, tags=("apart",)),
    question("b", expect={"contains": "Mali"}),
    question("c", "chat", expect={"max_words": 50}),
    question("d", "harmful", expect={"refuses": True}),
)

MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(trio: Path, engine: Engine, tmp_path: Path) -> MakeRun:
    """A run over the random trio with alpha 1 and a ceiling; any field may be another."""

    def make(**fields: Any) -> Run:
        asked = Coefficients(alphas=(1.0,))
        return Run(
            **{
                "questions": QUESTIONS,
                "lineup": line_up(engine.roles, asked, has_ceiling=True),
                "folder": Folder(tmp_path / "out"),
                "open_trio": lambda: open_trio(trio),
                "open_ceiling": lambda: open_ceiling(trio),
                "max_tokens": MAX_TOKENS,
                "members": {"base": "random"},
                "settings": {},
                **fields,
            }
        )

    return make


def open_ceiling(trio: Path) -> Engine:
    alone = Mixture(weights={"base": 1})
    return Engine.from_pretrained(base=trio / "tuned", dtype="float32", mixture=alone)
