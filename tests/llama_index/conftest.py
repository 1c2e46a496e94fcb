"""Models over shared engines: tiny random members for mechanism, the family for content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eft_integrations import Engine
from eft_integrations.llama_index import EFTLLM


@pytest.fixture(scope="session")
def family() -> Iterator[Engine]:
    with Engine.tiny() as opened:
        yield opened


@pytest.fixture
def llm(engine: Engine) -> EFTLLM:
    """Random members: the form of an answer is all that counts."""
    return EFTLLM(engine=engine, max_tokens=6)


@pytest.fixture
def own(trio: Path) -> EFTLLM:
    """Members by their folders, which nobody has opened yet."""
    return EFTLLM(
        base=trio / "base",
        tuned=trio / "tuned",
        reference=trio / "reference",
        dtype="float32",
        max_queue=98,  # settings that no other engine of the tests has
        max_tokens=6,
    )
