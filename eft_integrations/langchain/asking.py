"""One call of the chat model, made ready for the engine: no loops here, and no waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from eft_integrations.chat import ChatRequest, Prepared, events_of, prepare
from eft_integrations.engine import Engine
from eft_integrations.errors import InvalidRequest
from eft_integrations.langchain.chunks import PROVIDER, Chunker
from eft_integrations.langchain.fields import EFTFields
from eft_integrations.langchain.messages import chat_messages
from eft_integrations.langchain.options import (
    OPTIONS,
    joined_stops,
    overlaid,
    refuse_unknown_options,
)
from eft_integrations.langchain.tools import choice_of, response_schema, tool_schemas
from eft_integrations.options import CONSTRAINT_KEYS
from eft_integrations.request import Generation


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Prompts and options for ``Engine.generate`` and ``stream``, and how answers are told."""

    engine: Engine
    prepared: Prepared
    options: Mapping[str, Any]
    model_name: str

    def chunker(self) -> Chunker:
        """A fresh translator of one answer."""
        return Chunker(
            model_name=self.model_name,
            report=_report(self.options),
            encoder=self.engine.encoder,
            shows_tokens=bool(self.options.get("logprobs") or self.options.get("top_logprobs")),
        )

    def result(self, generation: Generation) -> ChatResult:
        """All choices of a finished generation."""
        told = [self._told(choice) for choice in generation.choices or (generation,)]
        usage = {
            "prompt_tokens": generation.usage.prompt_tokens,
            "completion_tokens": generation.usage.completion_tokens,
            "total_tokens": generation.usage.total_tokens,
        }
        several = {"token_usage": usage, "model_name": self.model_name, "model_provider": PROVIDER}
        return ChatResult(generations=told, llm_output=several if len(told) > 1 else None)

    def _told(self, generation: Generation) -> ChatGeneration:
        return self.chunker().generation(events_of(self.engine, self.prepared, generation))


def chat_request(
    fields: EFTFields, messages: Sequence[BaseMessage], keywords: Mapping[str, Any]
) -> ChatRequest:
    """The chat room's request; what the keywords leave open, the model's fields tell."""
    given = {**fields_of_chat(fields), **{k: v for k, v in keywords.items() if v is not None}}
    return ChatRequest(
        messages=chat_messages(messages),
        tools=tool_schemas(given.get("tools") or []),
        tool_choice=choice_of(given.get("tool_choice")),
        parallel_tool_calls=given.get("parallel_tool_calls", True),
        response_format=response_schema(given.get("response_format")),
        templates=given.get("templates"),
        dialect=given.get("dialect"),
        reasoning=given.get("reasoning"),
    )


def ask(
    fields: EFTFields,
    messages: Sequence[BaseMessage],
    stop: list[str] | None,
    keywords: Mapping[str, Any],
) -> Asked:
    """Everything that may be refused is checked here. Loads the engine on its first use."""
    refuse_unknown_options(keywords, is_chat=True)
    request = chat_request(fields, messages, keywords)
    engine = fields.open_engine
    prepared = prepare(engine, request)
    options = call_options(fields, stop, keywords)
    if prepared.grammar is not None:
        clash = next((key for key in CONSTRAINT_KEYS if key in options), None)
        if clash is not None:
            raise InvalidRequest(
                f"{clash}= and tools or response_format exclude each other; give one of them"
            )
        options["grammar"] = prepared.grammar
    name = keywords.get("model") or fields.model_name
    return Asked(engine=engine, prepared=prepared, options=options, model_name=name)


def call_options(
    fields: EFTFields, stop: list[str] | None, keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """Keywords of ``Engine.generate``: the call's over the model's, stop strings of both."""
    own = fields.engine_options()
    given = {key: value for key, value in keywords.items() if key in OPTIONS}
    stops = joined_stops(own.get("stop"), given.get("stop"), stop)
    merged = {"max_tokens": None, **overlaid(own, given)}
    merged.pop("stop", None)
    return {**merged, "stop": stops} if stops else merged


def fields_of_chat(fields: EFTFields) -> dict[str, Any]:
    """What a chat model may declare of its own besides options."""
    names = ("templates", "dialect", "reasoning")
    return {n: v for n in names if (v := getattr(fields, n, None)) is not None}


def _report(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an answer, for its metadata; a grammar would be longer than the answer."""
    return {key: value for key, value in options.items() if key not in CONSTRAINT_KEYS}
