"""Chat models over shared engines: tiny random members for shapes, the family for content."""

from __future__ import annotations

from pathlib import Path

import pytest

from eft_integrations import Engine
from eft_integrations.langchain import EFTLLM, ChatEFT


@pytest.fixture
def chat(engine: Engine) -> ChatEFT:
    """Random members: the form of an answer is all that counts."""
    return ChatEFT(engine=engine, max_tokens=6)


@pytest.fixture
def llm(engine: Engine) -> EFTLLM:
    return EFTLLM(engine=engine, max_tokens=6)


@pytest.fixture
def own(trio: Path) -> ChatEFT:
    """Members by their folders, which nobody has opened yet."""
    return ChatEFT(
        base=trio / "base",
        tuned=trio / "tuned",
        reference=trio / "reference",
        dtype="float32",
        max_queue=99,  # settings that no other engine of the tests has
        max_tokens=6,
    )
