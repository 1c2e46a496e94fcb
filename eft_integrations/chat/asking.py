"""One call of a chat model, made ready for the engine: no loops here, and no waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eft_integrations.chat.conversation import ChatRequest, Prepared, prepare
from eft_integrations.chat.options import choice_of
from eft_integrations.chat.template import Message, Tool
from eft_integrations.engine import AsyncStream, Engine, Stream
from eft_integrations.errors import InvalidRequest
from eft_integrations.options import CONSTRAINT_KEYS
from eft_integrations.request import Generation

_OWN = ("templates", "dialect", "reasoning")


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A prepared request with the keywords of ``Engine.generate``."""

    engine: Engine
    prepared: Prepared
    options: Mapping[str, Any]

    @property
    def report(self) -> dict[str, Any]:
        """The options, for metadata; a grammar would be longer than the answer."""
        return {key: v for key, v in self.options.items() if key not in CONSTRAINT_KEYS}

    def generate(self) -> Generation:
        """The whole answer."""
        return self.engine.generate(dict(self.prepared.prompts), **self.options)

    async def agenerate(self) -> Generation:
        """The twin of :meth:`generate`."""
        return await self.engine.agenerate(dict(self.prepared.prompts), **self.options)

    def stream(self) -> Stream:
        """The answer as it is written."""
        return self.engine.stream(dict(self.prepared.prompts), **self.options)

    def astream(self) -> AsyncStream:
        """The twin of :meth:`stream`."""
        return self.engine.astream(dict(self.prepared.prompts), **self.options)


def given_to(fields: object, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a call; what they leave open, a model's fields tell, if it has them."""
    own = {name: v for name in _OWN if (v := getattr(fields, name, None)) is not None}
    return {**own, **{name: v for name, v in keywords.items() if v is not None}}


def request_of(
    given: Mapping[str, Any],
    messages: Sequence[Message],
    tools: Sequence[Tool],
    response_format: Mapping[str, Any] | None,
) -> ChatRequest:
    """The request of a call; the faces translate messages, tools and the schema of the answer."""
    return ChatRequest(
        messages=messages,
        tools=tools,
        tool_choice=choice_of(given.get("tool_choice")),
        parallel_tool_calls=given.get("parallel_tool_calls", True),
        response_format=response_format,
        **{name: given.get(name) for name in _OWN},
    )


def ready(engine: Engine, request: ChatRequest, options: Mapping[str, Any]) -> Ready:
    """Raises ``InvalidRequest``, also where the form of the answer and a constraint clash."""
    prepared = prepare(engine, request)
    if prepared.grammar is None:
        return Ready(engine=engine, prepared=prepared, options=options)
    clash = next((key for key in CONSTRAINT_KEYS if key in options), None)
    if clash is not None:
        raise InvalidRequest(
            f"{clash}= and tools or response_format exclude each other; give one of them"
        )
    constrained = {**options, "grammar": prepared.grammar}
    return Ready(engine=engine, prepared=prepared, options=constrained)
