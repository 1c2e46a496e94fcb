"""Retrieval: the example's chain on documents that nobody has seen."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.documents import ITEMS, num_right
from tests.test_docs import ROOT


@pytest.mark.slow
def test_most_questions_about_unseen_documents_are_answered_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    example: dict[str, Any] = runpy.run_path(str(ROOT / "examples" / "langchain_rag.py"))
    example["store"].add_texts([document for document, _, _ in ITEMS])
    answers = example["chain"].batch([question for _, question, _ in ITEMS])
    assert num_right(answers) >= 8, answers
