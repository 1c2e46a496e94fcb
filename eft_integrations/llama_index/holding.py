"""What holds inside a ``with``: overrides and scopes that cancel.

Both live in one context variable, so that threads and tasks that LlamaIndex starts have them, and
tasks beside do not. Some of LlamaIndex's answers begin only when they are read, and the ``with``
may be over by then: those keep what held when they were asked for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.synthesis import SynthesizeEndEvent
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.base import BaseEvent

from eft_integrations.engine.sharing import SharedEngine

if TYPE_CHECKING:
    from eft_integrations.llama_index.cancelling import CancelScope

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Held:
    """Options for the models of each engine, and the scopes of all ``with`` around."""

    overrides: Mapping[SharedEngine, Mapping[str, Any]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    scopes: tuple[CancelScope, ...] = ()


_NOTHING = Held()
_HELD: ContextVar[Held] = ContextVar("eft_held", default=_NOTHING)


def held_here() -> Held:
    """What holds where this is called."""
    return _HELD.get()


@contextmanager
def holding(held: Held) -> Iterator[None]:
    """Let this hold, in place of what does."""
    _watch_lazy_responses()
    token = _HELD.set(held)
    try:
        yield
    finally:
        _HELD.reset(token)


def kept(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same items; whenever they are read, what holds now does, and scopes of the reader."""
    return _kept(items, held_here())


def akept(items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The twin of :func:`kept`."""
    return _akept(items, held_here())


def _kept(items: Generator[T, None, None], held: Held) -> Generator[T, None, None]:
    try:
        while True:
            with holding(_also_here(held)):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item
    finally:
        items.close()


async def _akept(items: AsyncGenerator[T, None], held: Held) -> AsyncGenerator[T, None]:
    try:
        while True:
            with holding(_also_here(held)):
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            yield item
    finally:
        await items.aclose()


def _also_here(held: Held) -> Held:
    return replace(held, scopes=(*held.scopes, *held_here().scopes))


class _Keeper(BaseEventHandler):
    """Lets a streaming response keep what holds at its query."""

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex tells handlers apart."""
        return "EFTKeeper"

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:  # noqa: ARG002 — LlamaIndex's form
        """Wrap the generator of the response."""
        if held_here() is _NOTHING or not isinstance(event, SynthesizeEndEvent):
            return
        response: Any = event.response
        if isinstance(response, StreamingResponse):
            response.response_gen = kept(response.response_gen)
        elif isinstance(response, AsyncStreamingResponse):
            response.response_gen = akept(response.response_gen)


def _watch_lazy_responses() -> None:
    root = get_dispatcher()
    if not any(isinstance(handler, _Keeper) for handler in root.event_handlers):
        root.add_event_handler(_Keeper())
