"""LlamaIndex's messages → the chat room's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from pydantic import BaseModel

from eft_integrations.chat.calls import call, call_of
from eft_integrations.errors import InvalidRequest

_ROLES = {
    MessageRole.DEVELOPER: "system",
    MessageRole.FUNCTION: "tool",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
}
# Said elsewhere in the message, or thoughts of a former turn, which templates leave out.
_SILENT = (CachePoint, ThinkingBlock, ToolCallBlock)


def chat_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """As chat templates take them; raises ``InvalidRequest`` for what is no text."""
    return [_chat_message(message) for message in messages]


def _chat_message(message: ChatMessage) -> dict[str, Any]:
    told: dict[str, Any] = {
        "role": _ROLES.get(message.role, message.role.value),
        "content": "\n".join(part for part in map(_text, message.blocks) if part),
    }
    if told["role"] == "tool":
        told |= _names(message.additional_kwargs)
    if told["role"] == "assistant":
        calls = _calls(message)
        if calls:
            told["tool_calls"] = calls
        thought = "".join(b.content or "" for b in message.blocks if isinstance(b, ThinkingBlock))
        if thought:
            told["reasoning_content"] = thought
    return told


def _text(block: Any) -> str:
    if isinstance(block, TextBlock):
        return block.text
    if isinstance(block, _SILENT):
        return ""
    if isinstance(block, CitableBlock):
        return "\n".join(map(_text, block.content))
    if isinstance(block, CitationBlock):
        return _text(block.cited_content)
    raise InvalidRequest(
        f"a message holds a {type(block).__name__}, but the members read text only; leave it out"
    )


def _names(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Of which call, and of which tool, this is the result; LlamaIndex tells the id only."""
    return {key: extra[key] for key in ("tool_call_id", "name") if extra.get(key)}


def _calls(message: ChatMessage) -> list[dict[str, Any]]:
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        return [call(b.tool_call_id, b.tool_name, b.tool_kwargs) for b in blocks]
    raw = message.additional_kwargs.get("tool_calls") or []
    # plain, or objects of OpenAI's client
    return [call_of(c.model_dump() if isinstance(c, BaseModel) else c) for c in raw]
