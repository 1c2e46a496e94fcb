"""One call of the chat model, made ready: no loops here, and no waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

from eft_integrations.chat import ChatRequest
from eft_integrations.chat.asking import given_to, report_of, request_of
from eft_integrations.chat.events import end_of_answer
from eft_integrations.chat.options import call_options
from eft_integrations.chat.speaker import Answer, Ready
from eft_integrations.langchain.chunks import PROVIDER, Chunker
from eft_integrations.langchain.fields import EFTFields
from eft_integrations.langchain.messages import chat_messages
from eft_integrations.langchain.options import refuse_unknown_options
from eft_integrations.langchain.tools import response_schema, tool_schemas


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A call that is ready, and how its answers are told."""

    ready: Ready
    model_name: str
    report: Mapping[str, Any]

    def chunker(self) -> Chunker:
        """A fresh translator of one answer."""
        return Chunker(model_name=self.model_name, report=self.report)

    def result(self, answers: Sequence[Answer]) -> ChatResult:
        """All choices of a finished answer."""
        told = [self.chunker().generation(answer) for answer in answers]
        usage = end_of_answer(answers[0]).usage.counts
        several = {"token_usage": usage, "model_name": self.model_name, "model_provider": PROVIDER}
        return ChatResult(generations=told, llm_output=several if len(told) > 1 else None)


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
    """Everything that may be refused is checked here. Opens the model on its first use."""
    refuse_unknown_options(keywords, is_chat=True)
    request = chat_request(fields, messages, keywords)
    options = call_options(fields.engine_options(), keywords, stop)
    ready = fields.speaker.chat(request, options, fields.delivery(keywords))
    name = ready.model_name or fields.model_name
    return Asked(ready=ready, model_name=name, report=report_of(options))
