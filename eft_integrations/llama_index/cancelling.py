"""Ending from outside what LlamaIndex runs in threads of its own, and gives nobody a handle on."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from eft_integrations.chat.asking import Ready
from eft_integrations.engine import AsyncStream, Stream
from eft_integrations.request import Generation


class CancelScope:
    """All answers that were begun inside a ``with llm.cancel_scope()``."""

    def __init__(self) -> None:
        self._streams: weakref.WeakSet[Stream | AsyncStream] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.is_cancelled = False

    def cancel(self) -> None:
        """End them with what is written so far, and those that begin later at once."""
        with self._lock:
            self.is_cancelled = True
            streams = list(self._streams)
        for stream in streams:
            stream.close()

    def add(self, stream: Stream | AsyncStream) -> None:
        """Take charge of an answer."""
        with self._lock:
            self._streams.add(stream)
        if self.is_cancelled:
            stream.close()


_SCOPE: ContextVar[CancelScope | None] = ContextVar("eft_cancel_scope", default=None)


def scope_here() -> CancelScope:
    """The scope of the innermost ``with``, or one that nobody cancels."""
    return _SCOPE.get() or CancelScope()


@contextmanager
def cancel_scope() -> Iterator[CancelScope]:
    """Answers that begin inside, in whatever thread or task, can be cancelled together."""
    token = _SCOPE.set(CancelScope())
    try:
        yield scope_here()
    finally:
        _SCOPE.reset(token)


def generate(ready: Ready, scope: CancelScope) -> Generation:
    """The whole answer, or what of it was written until the scope was cancelled."""
    with ready.stream() as stream:
        scope.add(stream)
        return stream.result


async def agenerate(ready: Ready, scope: CancelScope) -> Generation:
    """The twin of :func:`generate`."""
    async with ready.astream() as stream:
        scope.add(stream)
        async for _ in stream:
            pass
    return stream.result
