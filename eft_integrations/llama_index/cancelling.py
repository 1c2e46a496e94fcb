"""Ending from outside what LlamaIndex runs in threads of its own, and gives nobody a handle on."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from eft_integrations.chat.speaker import Answer, AsyncTold, Ready, Told


class CancelScope:
    """All answers that were begun inside a ``with llm.cancel_scope()``."""

    def __init__(self) -> None:
        self._told: weakref.WeakSet[Told | AsyncTold] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.is_cancelled = False

    def cancel(self) -> None:
        """End them with what is written so far, and those that begin later at once."""
        with self._lock:
            self.is_cancelled = True
            answers = list(self._told)
        for told in answers:
            told.close()

    def add(self, told: Told | AsyncTold) -> None:
        """Take charge of an answer."""
        with self._lock:
            self._told.add(told)
        if self.is_cancelled:
            told.close()


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


def whole(ready: Ready, scope: CancelScope) -> Answer:
    """The whole answer, or what of it was written until the scope was cancelled."""
    told = ready.stream()
    scope.add(told)
    return told.whole()


async def awhole(ready: Ready, scope: CancelScope) -> Answer:
    """The twin of :func:`whole`."""
    told = ready.astream()
    scope.add(told)
    return await told.whole()
