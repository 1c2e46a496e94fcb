"""An engine in this process as a speaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from eft_integrations.chat.conversation import (
    ChatRequest,
    Prepared,
    events_of,
    formatted,
    plain,
    prepare,
)
from eft_integrations.chat.events import ChatEvent
from eft_integrations.chat.options import refuse_clash
from eft_integrations.chat.reader import detail_of
from eft_integrations.chat.speaker import Answer, Delivery, Options
from eft_integrations.engine import AsyncStream, Engine, Stream
from eft_integrations.request import Generation, TokenEvent

_NUMBERS = ("logprobs", "top_logprobs", "contributions")


class EngineSpeaker:
    """Prompts by the members' own templates, and a grammar that holds the answer to its form."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def context_len(self) -> int:
        """Of the shortest member."""
        return self._engine.context_len

    def chat(self, request: ChatRequest, options: Options, delivery: Delivery) -> EngineReady:
        """Raises ``InvalidRequest``, also where the form of the answer and a constraint clash."""
        prepared = prepare(self._engine, request)
        if prepared.grammar is not None:
            refuse_clash(options)
            options = {**options, "grammar": prepared.grammar}
        return self._ready(prepared, options, delivery)

    def text(self, prompt: str, options: Options, delivery: Delivery) -> EngineReady:
        """The same text for every member."""
        return self._ready(formatted(self._engine, prompt), options, delivery)

    def texts(
        self,
        prompts: Sequence[str],
        options: Options,
        delivery: Delivery,  # noqa: ARG002 — an engine here needs none
    ) -> list[list[Answer]]:
        """One engine batch."""
        if not prompts:
            return []  # to the engine a prompt of no tokens
        generations = self._engine.generate(list(prompts), **_with_numbers(options))
        return [self._choices(generation) for generation in generations]

    async def atexts(
        self,
        prompts: Sequence[str],
        options: Options,
        delivery: Delivery,  # noqa: ARG002 — an engine here needs none
    ) -> list[list[Answer]]:
        """The twin of :meth:`texts`."""
        if not prompts:
            return []
        generations = await self._engine.agenerate(list(prompts), **_with_numbers(options))
        return [self._choices(generation) for generation in generations]

    def encode(self, text: str) -> list[int]:
        """Token ids of a text without special ones."""
        return list(self._engine.encoder.encode(text, special=False))

    def num_tokens(self, request: ChatRequest) -> int:
        """Of the longest prompt among the members."""
        return prepare(self._engine, request).prompt_len

    def _ready(self, prepared: Prepared, options: Options, delivery: Delivery) -> EngineReady:
        return EngineReady(
            engine=self._engine,
            prepared=prepared,
            options=_with_numbers(options),
            shows_numbers=_shows_numbers(options),
            model_name=delivery.model,
        )

    def _choices(self, generation: Generation) -> list[Answer]:
        choices = generation.choices or (generation,)
        return [events_of(self._engine, plain(), choice) for choice in choices]


@dataclass(frozen=True, kw_only=True)
class EngineReady:
    """A prepared request with the keywords of ``Engine.generate``."""

    engine: Engine
    prepared: Prepared
    options: Options
    shows_numbers: bool
    model_name: str | None

    @property
    def _prompts(self) -> dict[str, list[int]]:
        return dict(self.prepared.prompts)

    def answers(self) -> list[Answer]:
        """Every choice, whole."""
        (generation,) = self.engine.generate([self._prompts], **self.options)
        return self._choices(generation)

    async def aanswers(self) -> list[Answer]:
        """The twin of :meth:`answers`."""
        (generation,) = await self.engine.agenerate([self._prompts], **self.options)
        return self._choices(generation)

    def stream(self) -> EngineTold:
        """The answer as it is written."""
        return EngineTold(self, self.engine.stream(self._prompts, waits=True, **self.options))

    def astream(self) -> AsyncEngineTold:
        """The twin of :meth:`stream`."""
        return AsyncEngineTold(self, self.engine.astream(self._prompts, waits=True, **self.options))

    def answer(self, generation: Generation) -> Answer:
        """A finished generation as events."""
        return events_of(self.engine, self.prepared, generation)

    def numbers(self, event: TokenEvent) -> list[ChatEvent]:
        """Those of a token, where they were asked for."""
        return detail_of(self.engine, event) if self.shows_numbers else []

    def _choices(self, generation: Generation) -> list[Answer]:
        return [self.answer(choice) for choice in generation.choices or (generation,)]


class EngineTold:
    """The events of a stream, token by token."""

    def __init__(self, ready: EngineReady, stream: Stream) -> None:
        self._ready = ready
        self._stream = stream
        self._reader = ready.prepared.reader()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Answer:
        event = next(self._stream)
        return [*self._ready.numbers(event), *self._reader.take(event)]

    def close(self) -> None:
        """End the computation at the next token; its last event is still told."""
        self._stream.cancel()

    def whole(self) -> Answer:
        """All events, with the end that a ``close`` brought on."""
        with self._stream as stream:
            return self._ready.answer(stream.result)


class AsyncEngineTold:
    """The twin of :class:`EngineTold`."""

    def __init__(self, ready: EngineReady, stream: AsyncStream) -> None:
        self._ready = ready
        self._stream = stream
        self._reader = ready.prepared.reader()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stream.__aexit__(*error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer:
        event = await anext(self._stream)
        return [*self._ready.numbers(event), *self._reader.take(event)]

    def close(self) -> None:
        """End the computation at the next token; its last event is still told."""
        self._stream.cancel()

    async def whole(self) -> Answer:
        """All events, with the end that a ``close`` brought on."""
        async with self._stream as stream:
            async for _ in stream:
                pass
        return self._ready.answer(self._stream.result)


def _shows_numbers(options: Options) -> bool:
    return any(options.get(name) for name in _NUMBERS)


def _with_numbers(options: Options) -> dict[str, Any]:
    """Contributions are told beside the log-probability that they add up to."""
    return {**options, "logprobs": True} if options.get("contributions") else dict(options)
