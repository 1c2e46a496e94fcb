"""The keywords of a call → what the chat room asks, and what of it is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eft_integrations.chat.conversation import ChatRequest
from eft_integrations.chat.options import choice_of
from eft_integrations.chat.template import Message, Tool
from eft_integrations.options import CONSTRAINT_KEYS

_OWN = ("templates", "dialect", "reasoning")


def report_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, for metadata; a grammar would be longer than the answer."""
    return {key: v for key, v in options.items() if key not in CONSTRAINT_KEYS}


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
