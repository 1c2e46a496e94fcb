"""An answer as it is written: two thin loops over the one translator."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse

from eft_integrations.llama_index.asking import Asked
from eft_integrations.llama_index.cancelling import in_charge
from eft_integrations.llama_index.responses import completion


def streamed(asked: Asked) -> Generator[ChatResponse, None, None]:
    """Responses with all that was said so far; closing ends the computation."""
    responder = asked.responder()
    with asked.ready.stream() as told:
        in_charge(asked.scopes, told)
        for events in told:
            response = responder.response(events)
            if response is not None:
                yield response


async def astreamed(asked: Asked) -> AsyncGenerator[ChatResponse, None]:
    """The twin of :func:`streamed`."""
    responder = asked.responder()
    async with asked.ready.astream() as told:
        in_charge(asked.scopes, told)
        async for events in told:
            response = responder.response(events)
            if response is not None:
                yield response


def completed(asked: Asked) -> Generator[CompletionResponse, None, None]:
    """The same as texts."""
    for response in streamed(asked):
        yield completion(response)


async def acompleted(asked: Asked) -> AsyncGenerator[CompletionResponse, None]:
    """The twin of :func:`completed`."""
    responses = astreamed(asked)
    try:
        async for response in responses:
            yield completion(response)
    finally:
        await responses.aclose()
