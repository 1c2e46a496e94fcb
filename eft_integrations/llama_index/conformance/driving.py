"""What the kit asks, calls and listens with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar
from unittest import SkipTest

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

T = TypeVar("T")
HELLO = "Hello"


class Point(BaseModel):
    """A point."""

    x: int
    is_near: bool


class Box(BaseModel, Generic[T]):
    """A box."""

    item: T


def move(steps: int) -> str:
    """Move by some steps."""
    return f"moved {steps}"


def wait(is_long: bool) -> str:
    """Wait."""
    return f"waited {is_long}"


class Events(BaseEventHandler):
    """Remembers the kinds of events."""

    kinds: list[type] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "ConformanceEvents"

    def handle(self, event: Any, **kwargs: Any) -> None:  # noqa: ARG002 — LlamaIndex's form
        self.kinds.append(type(event))


class NotClaimed(SkipTest):
    """A test of something that a model does not claim."""


def hello() -> list[ChatMessage]:
    return [ChatMessage(role="user", content=HELLO)]


def tools() -> list[FunctionTool]:
    return [FunctionTool.from_defaults(move), FunctionTool.from_defaults(wait)]


def add_up(chunks: Sequence[tuple[str | None, str | None]]) -> None:
    """Deltas make up the text of the last chunk, and each chunk has all the text before it."""
    assert chunks, "an empty stream"
    said = ""
    for delta, text in chunks:
        said += delta or ""
        assert (text or "") == said, "a chunk holds something else than all text so far"


def raised(run: Callable[[], object]) -> Exception | None:
    try:
        run()
    except Exception as error:  # whatever a foreign model raises
        return error
    return None


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


async def collected(stream: Any) -> list[Any]:
    return [chunk async for chunk in await stream]


async def pauses_during(coroutine: Coroutine[Any, Any, object]) -> tuple[float, float]:
    """Seconds of the longest turn of the loop while this ran, and of the whole."""
    start = last = time.perf_counter()
    longest, task = 0.0, asyncio.ensure_future(coroutine)
    while not task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    await task
    return longest, last - start
