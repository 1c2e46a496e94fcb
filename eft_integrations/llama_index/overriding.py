"""Options for all that runs inside a ``with``: LlamaIndex passes no keywords down to its models.

They live in a context variable, so that threads and tasks that LlamaIndex starts have them, and
tasks beside do not.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.synthesis import SynthesizeEndEvent
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.base import BaseEvent

from eft_integrations.chat.options import overlaid
from eft_integrations.engine.sharing import SharedEngine

Overrides = Mapping[SharedEngine, Mapping[str, Any]]
_OVERRIDES: ContextVar[Overrides] = ContextVar("eft_overrides", default=MappingProxyType({}))


def overrides_of(engine: SharedEngine) -> Mapping[str, Any]:
    """The options that hold here for the models of an engine."""
    return _OVERRIDES.get().get(engine, {})


@contextmanager
def overriding(engine: SharedEngine, options: Mapping[str, Any]) -> Iterator[None]:
    """These options over those that hold already."""
    _watch_lazy_responses()
    inner = overlaid(overrides_of(engine), options)
    with _holding({**_OVERRIDES.get(), engine: inner}):
        yield


@contextmanager
def _holding(overrides: Overrides) -> Iterator[None]:
    token = _OVERRIDES.set(overrides)
    try:
        yield
    finally:
        _OVERRIDES.reset(token)


class _Holder(BaseEventHandler):
    """Gives a streaming response the overrides of its query.

    LlamaIndex calls the model only when such a response is read, and the ``with`` may be over.
    """

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex tells handlers apart."""
        return "EFTOverrideHolder"

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:  # noqa: ARG002 — LlamaIndex's form
        """Wrap the generator of the response."""
        overrides = _OVERRIDES.get()
        if not overrides or not isinstance(event, SynthesizeEndEvent):
            return
        response = event.response
        if isinstance(response, StreamingResponse):
            response.response_gen = _held(response.response_gen, overrides)
        elif isinstance(response, AsyncStreamingResponse):
            response.response_gen = _aheld(response.response_gen, overrides)


def _watch_lazy_responses() -> None:
    root = get_dispatcher()
    if not any(isinstance(handler, _Holder) for handler in root.event_handlers):
        root.add_event_handler(_Holder())


def _held(tokens: Any, overrides: Overrides) -> Generator[str, None, None]:
    try:
        while True:
            with _holding(overrides):
                token = next(tokens, None)
            if token is None:
                return
            yield token
    finally:
        tokens.close()


async def _aheld(tokens: Any, overrides: Overrides) -> AsyncGenerator[str, None]:
    try:
        while True:
            with _holding(overrides):
                token = await anext(tokens, None)
            if token is None:
                return
            yield token
    finally:
        await tokens.aclose()
