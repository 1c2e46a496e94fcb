"""A server over the random members, at the beginning of every test as nobody has used it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from eft_integrations import Engine
from tests.served import Endpoint, serving


@pytest.fixture(scope="session")
def _serving(engine: Engine) -> Iterator[Endpoint]:
    with serving(engine) as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(_serving: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    for name in ("EFT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    _serving.forget()
    return _serving


@pytest.fixture(autouse=True, scope="module")
def _collected() -> Iterator[None]:
    """A connection that is left open is found here, and not in a test of another room."""
    yield
    gc.collect()
