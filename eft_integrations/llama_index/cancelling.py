"""Ending from outside what LlamaIndex runs in threads of its own, and gives nobody a handle on."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from eft_integrations.chat.speaker import Answer, AsyncTold, Ready, Told
from eft_integrations.llama_index.holding import held_here, holding

T = TypeVar("T", Told, AsyncTold)


class CancelScope:
    """All answers that were asked for inside a ``with llm.cancel_scope()``."""

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


@contextmanager
def cancel_scope() -> Iterator[CancelScope]:
    """Answers that are asked for inside, in whatever thread or task, can be cancelled together."""
    held, scope = held_here(), CancelScope()
    with holding(replace(held, scopes=(*held.scopes, scope))):
        yield scope


Scopes = tuple[CancelScope, ...]


def in_charge(scopes: Scopes, told: T) -> T:
    """The answer, which each of the scopes may end."""
    for scope in scopes:
        scope.add(told)
    return told


def whole(ready: Ready, scopes: Scopes) -> Answer:
    """The whole answer, or what of it was written until a scope was cancelled."""
    return in_charge(scopes, ready.stream()).whole()


async def awhole(ready: Ready, scopes: Scopes) -> Answer:
    """The twin of :func:`whole`."""
    return await in_charge(scopes, ready.astream()).whole()
