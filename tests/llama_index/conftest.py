"""Models over shared engines: tiny random members for mechanism, the family for content."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent
from llama_index_instrumentation import get_dispatcher
from pydantic import Field

from eft_integrations import Engine
from eft_integrations.llama_index import EFTLLM

HERE = Path(__file__).parent
# What LlamaIndex itself leaves behind: agents look through themselves with inspect and meet what
# pydantic deprecates; loops and data bases are dropped without being closed, and the thread of such
# a data base finds its loop closed.
LEFT = (
    "ignore::DeprecationWarning:inspect",
    "ignore:is_running called from within a step:DeprecationWarning",
    "ignore:unclosed event loop:ResourceWarning",
    "ignore:unclosed <socket.socket:ResourceWarning",
    "ignore:<aiosqlite.core.Connection:ResourceWarning",
    "ignore:Exception in thread .*_connection_worker_thread:"
    "pytest.PytestUnhandledThreadExceptionWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for rule in LEFT:
                item.add_marker(pytest.mark.filterwarnings(rule))


@pytest.fixture(autouse=True, scope="module")
def _collected() -> Iterator[None]:
    """What is left behind is found here, and not in a test of another room."""
    yield
    gc.collect()
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(timeout=2)


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


class Heard(BaseEventHandler):
    alphas: list[Any] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Heard"

    def handle(self, event: Any, **kwargs: Any) -> None:
        if isinstance(event, LLMChatEndEvent) and event.response is not None:
            assert event.response.raw is not None
            self.alphas.append(event.response.raw["eft"].get("alpha"))


@pytest.fixture
def heard() -> Any:
    root, handler = get_dispatcher(), Heard()
    root.add_event_handler(handler)
    yield handler.alphas
    root.event_handlers.remove(handler)
