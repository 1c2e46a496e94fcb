"""Whom a face asks: an engine in this process, or a server elsewhere. Both tell chat events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from eft_integrations.chat.conversation import ChatRequest
from eft_integrations.chat.events import ChatEvent

Answer = Sequence[ChatEvent]
Options = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How a call reaches its model. An engine in this process needs none of it.

    ``model``: the name of one that a server has, or under which an engine's answers are reported.
    ``api_key`` is here to be refused: keywords of calls are seen in traces.
    """

    model: str | None = None
    max_retries: int | None = None
    headers: Mapping[str, str] | None = None
    api_key: Any = None


class Told(Protocol):
    """An answer as it is told: for ``with``, and then ``for`` or :meth:`whole`."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Answer: ...
    def close(self) -> None:
        """End here, from any thread: nothing more is computed, and what is told last says so."""

    def whole(self) -> Answer:
        """All events; waits for the end, which a ``close`` brings on."""


class AsyncTold(Protocol):
    """The twin of :class:`Told`."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> Answer: ...
    def close(self) -> None:
        """As :meth:`Told.close`."""

    async def whole(self) -> Answer:
        """As :meth:`Told.whole`."""


class Ready(Protocol):
    """One call of which all that may be refused was checked."""

    @property
    def model_name(self) -> str | None:
        """Who answers; None where nobody named a model."""

    def answers(self) -> list[Answer]:
        """Every choice, whole."""

    async def aanswers(self) -> list[Answer]:
        """The twin of :meth:`answers`; cancelling it ends the computation."""

    def stream(self) -> Told:
        """One answer as it is written."""

    def astream(self) -> AsyncTold:
        """The twin of :meth:`stream`."""


class Speaker(Protocol):
    """Its methods raise the errors of ``eft_integrations.errors``."""

    @property
    def context_len(self) -> int:
        """Tokens of prompt and answer together."""

    def chat(self, request: ChatRequest, options: Options, delivery: Delivery) -> Ready:
        """A conversation that goes on; ``options`` are keywords of ``Engine.generate``."""

    def text(self, prompt: str, options: Options, delivery: Delivery) -> Ready:
        """A raw text that goes on."""

    def texts(
        self, prompts: Sequence[str], options: Options, delivery: Delivery
    ) -> list[list[Answer]]:
        """Every choice of many raw texts at once; options may be a ``PerRow``."""

    async def atexts(
        self, prompts: Sequence[str], options: Options, delivery: Delivery
    ) -> list[list[Answer]]:
        """The twin of :meth:`texts`."""

    def encode(self, text: str) -> list[int]:
        """Token ids as the members read them, without special ones."""

    def num_tokens(self, request: ChatRequest) -> int:
        """Of the prompt."""
