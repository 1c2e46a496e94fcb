"""The up-scaled model at alpha 0, and the harness's own model of its base."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from lm_eval.models.huggingface import HFLM

from eft_integrations import Engine
from eft_integrations.evaluation.harness import EFTLM


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"a connection was tried: {args[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def lm(engine: Engine) -> EFTLM:
    return EFTLM(engine=engine, alpha=0.0)


@pytest.fixture(scope="session")
def hf(trio: Path, lm: EFTLM) -> Any:
    """The harness's own model of the base."""
    base = str(trio / "base")
    return HFLM(base, dtype="float32", device="cpu", batch_size=3, max_length=lm.max_length)
