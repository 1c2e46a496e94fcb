"""One call of the model, made ready for the engine: no loops here, and no waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole

from eft_integrations.chat import ChatRequest
from eft_integrations.chat.asking import given_to, report_of, request_of
from eft_integrations.chat.options import CHAT_OPTIONS, OPTIONS, call_options
from eft_integrations.chat.speaker import Ready
from eft_integrations.errors import InvalidRequest, refuse_unknown
from eft_integrations.llama_index.cancelling import Scopes, awhole, whole
from eft_integrations.llama_index.holding import held_here
from eft_integrations.llama_index.messages import chat_messages
from eft_integrations.llama_index.prompts import Meant, bounded, meant
from eft_integrations.llama_index.responses import Responder
from eft_integrations.llama_index.tools import response_schema, tool_schemas
from eft_integrations.options import CONSTRAINT_KEYS

if TYPE_CHECKING:
    from eft_integrations.llama_index.llm import EFTLLM

# LlamaIndex passes these to whatever model it is given; they are for a server.
TOLERATED = frozenset({"extra_headers"})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A call that is ready, and how its answer is told."""

    ready: Ready
    scopes: Scopes
    model_name: str
    report: Mapping[str, Any]

    def responder(self) -> Responder:
        """A fresh translator of one answer."""
        return Responder(model_name=self.model_name, report=self.report)

    def whole(self) -> ChatResponse:
        """The whole answer."""
        return self.responder().whole(whole(self.ready, self.scopes))

    async def awhole(self) -> ChatResponse:
        """The twin of :meth:`whole`."""
        return self.responder().whole(await awhole(self.ready, self.scopes))


def ask(llm: EFTLLM, messages: Sequence[ChatMessage], keywords: Mapping[str, Any]) -> Asked:
    """Everything that may be refused is checked here. Loads the engine on its first use."""
    refuse_unknown("option", keywords, OPTIONS | CHAT_OPTIONS | TOLERATED)
    asks = meant(chat_messages(messages))
    options = _options(llm, keywords, asks.stop)
    request = _request(
        llm, asks, keywords, is_constrained=any(k in options for k in CONSTRAINT_KEYS)
    )
    return _asked(llm, llm.speaker.chat(request, options, llm.delivery(keywords)), options)


def ask_text(llm: EFTLLM, prompt: str, keywords: Mapping[str, Any], *, is_formatted: bool) -> Asked:
    """A prompt as the words of a user, or, if it is formatted already, as raw text."""
    if not isinstance(prompt, str):
        raise InvalidRequest(f"a prompt must be a string, got {prompt!r}")
    if not is_formatted:
        return ask(llm, [ChatMessage(role=MessageRole.USER, content=prompt)], keywords)
    refuse_unknown("option of a formatted prompt", keywords, OPTIONS | TOLERATED)
    options = _options(llm, keywords, ())
    return _asked(llm, llm.speaker.text(prompt, options, llm.delivery(keywords)), options)


def _asked(llm: EFTLLM, ready: Ready, options: Mapping[str, Any]) -> Asked:
    name = ready.model_name or llm.model_name
    return Asked(ready=ready, scopes=held_here().scopes, model_name=name, report=report_of(options))


def _options(llm: EFTLLM, keywords: Mapping[str, Any], stop: Sequence[str]) -> dict[str, Any]:
    options = call_options(llm.options_in_force(), keywords, stop)
    refuse_choices(options)
    return options


def refuse_choices(options: Mapping[str, Any]) -> None:
    """Raises ``InvalidRequest`` where several answers are asked for."""
    if options.get("n", 1) != 1:
        raise InvalidRequest(
            f"a response of LlamaIndex holds one answer, got n={options['n']!r}; call n times, "
            f"which is one batch too"
        )


def _request(
    llm: EFTLLM, asks: Meant, keywords: Mapping[str, Any], *, is_constrained: bool
) -> ChatRequest:
    given = given_to(llm, keywords)
    schema = response_schema(given.get("response_format"))
    tells_form = asks.schema is not None and not (given.get("tools") or schema or is_constrained)
    form = asks.schema if tells_form else schema
    tools = bounded(tool_schemas(given.get("tools") or []), asks.messages)
    is_told_anew = asks.schema is not None and form is not None
    request = request_of(given, asks.bare if is_told_anew else asks.messages, tools, form)
    is_free = not (tools or form or is_constrained)
    return replace(request, react=asks.actions if is_free else None)
