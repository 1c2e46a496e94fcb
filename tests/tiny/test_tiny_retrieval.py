"""Questions about documents nobody has seen, in the forms that retrieval chains have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.prompts.chat_prompts import CHAT_TEXT_QA_PROMPT

from eft_integrations import Engine
from eft_integrations.chat import render
from tests.documents import ITEMS, num_right

Messages = list[dict[str, Any]]
DOCUMENTS = [document for document, _, _ in ITEMS]
UNKNOWN = ("does not say", "does not contain")


def in_system(context: str, question: str) -> Messages:
    """As LangChain's two-step chain writes it, in other words."""
    rule = "Be helpful. Base what you reply on this context:"
    return [
        {"role": "system", "content": f"{rule}\n\n{context}"},
        {"role": "user", "content": question},
    ]


def question_first(context: str, question: str) -> Messages:
    """As prompts of LangChain's hub have it, in other words."""
    rule = (
        "You help people to find answers. Take them from the retrieved context alone. "
        "Should it not hold one, say so. Be concise."
    )
    return [
        {"role": "user", "content": f"{rule}\nQuestion: {question}\nContext: {context}\nAnswer:"}
    ]


def of_llama_index(context: str, question: str) -> Messages:
    """The default of LlamaIndex's query engines, word for word."""
    told = CHAT_TEXT_QA_PROMPT.format_messages(context_str=context, query_str=question)
    return [{"role": one.role.value, "content": one.content} for one in told]


def answers(engine: Engine, form: Callable[[str, str], Messages], *shifts: int) -> list[str]:
    """To every question, with two documents: 0 names its own, other numbers name others."""
    prompts = [
        render(engine, form("\n\n".join(DOCUMENTS[n - shift] for shift in shifts), question))
        for n, (_, question, _) in enumerate(ITEMS)
    ]
    return [answer.text for answer in engine.generate(prompts)]


@pytest.mark.slow
@pytest.mark.parametrize("form", [in_system, question_first, of_llama_index])
def test_spans_are_found(family: Engine, form: Callable[[str, str], Messages]) -> None:
    told = answers(family, form, 0, 7)
    assert num_right(told) >= 8, told


@pytest.mark.slow
@pytest.mark.parametrize("form", [in_system, question_first, of_llama_index])
def test_what_is_not_there_is_said(family: Engine, form: Callable[[str, str], Messages]) -> None:
    told = answers(family, form, 7, 5)
    assert sum(any(mark in text for mark in UNKNOWN) for text in told) >= 6, told
