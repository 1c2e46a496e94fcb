"""LangChain's messages → the chat room's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from eft_integrations.chat.calls import call, call_of
from eft_integrations.errors import InvalidRequest

_ROLES: dict[type[BaseMessage], str] = {
    HumanMessage: "user",
    AIMessage: "assistant",
    SystemMessage: "system",
    ToolMessage: "tool",
    FunctionMessage: "tool",
}
# Said elsewhere in the message, or thoughts of a former turn, which templates leave out.
_SILENT = frozenset({"tool_use", "tool_call", "invalid_tool_call", "thinking", "reasoning"})
_SILENT_TOO = frozenset({"redacted_thinking", "tool_call_chunk", "input_json_delta"})


def chat_messages(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """As chat templates take them; raises ``InvalidRequest`` for what is no text."""
    return [_chat_message(message) for message in messages]


def _chat_message(message: BaseMessage) -> dict[str, Any]:
    told: dict[str, Any] = {"role": _role(message), "content": text_of(message.content)}
    if message.name:
        told["name"] = message.name
    if isinstance(message, ToolMessage):
        told["tool_call_id"] = message.tool_call_id
    if isinstance(message, AIMessage):
        calls = _calls(message)
        if calls:
            told["tool_calls"] = calls
        thought = message.additional_kwargs.get("reasoning_content")
        if thought:
            told["reasoning_content"] = thought
    return told


def _role(message: BaseMessage) -> str:
    if isinstance(message, ChatMessage):
        return message.role
    for kind, role in _ROLES.items():
        if isinstance(message, kind):
            return role
    raise InvalidRequest(f"a {type(message).__name__} has no place in a chat; leave it out")


def text_of(content: str | Sequence[Any]) -> str:
    """The text of a content, whatever provider's blocks it is made of."""
    if isinstance(content, str):
        return content
    return "\n".join(part for part in map(_text_of_block, content) if part)


def _text_of_block(block: Any) -> str:
    if isinstance(block, str):
        return block
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text") or "")
    if kind == "tool_result":
        return text_of(block.get("content") or "")
    if kind in _SILENT or kind in _SILENT_TOO:
        return ""
    raise InvalidRequest(
        f"a message holds a block of type {kind!r}, but the members read text only; leave it out"
    )


def _calls(message: AIMessage) -> list[dict[str, Any]]:
    if message.tool_calls:
        return [call(each["id"], each["name"], each["args"]) for each in message.tool_calls]
    return [call_of(raw) for raw in message.additional_kwargs.get("tool_calls") or []]
