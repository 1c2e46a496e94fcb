"""One call of the chat model, made ready for the engine: no loops here, and no waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from eft_integrations.chat import ChatRequest, events_of
from eft_integrations.chat.asking import Ready, given_to, ready, request_of
from eft_integrations.chat.options import call_options
from eft_integrations.langchain.chunks import PROVIDER, Chunker
from eft_integrations.langchain.fields import EFTFields
from eft_integrations.langchain.messages import chat_messages
from eft_integrations.langchain.options import refuse_unknown_options
from eft_integrations.langchain.tools import response_schema, tool_schemas
from eft_integrations.request import Generation


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A call that is ready, and how its answers are told."""

    ready: Ready
    model_name: str

    def chunker(self) -> Chunker:
        """A fresh translator of one answer."""
        options = self.ready.options
        return Chunker(
            model_name=self.model_name,
            report=self.ready.report,
            encoder=self.ready.engine.encoder,
            shows_tokens=bool(options.get("logprobs") or options.get("top_logprobs")),
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
        events = events_of(self.ready.engine, self.ready.prepared, generation)
        return self.chunker().generation(events)


def chat_request(
    fields: EFTFields, messages: Sequence[BaseMessage], keywords: Mapping[str, Any]
) -> ChatRequest:
    """The chat room's request; what the keywords leave open, the model's fields tell."""
    given = given_to(fields, keywords)
    schema = response_schema(given.get("response_format"))
    return request_of(
        given, chat_messages(messages), tool_schemas(given.get("tools") or []), schema
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
    options = call_options(fields.engine_options(), keywords, stop)
    name = keywords.get("model") or fields.model_name
    return Asked(ready=ready(fields.open_engine, request, options), model_name=name)
