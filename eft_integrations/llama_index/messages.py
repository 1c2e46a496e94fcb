"""LlamaIndex's messages → the chat room's."""

from __future__ import annotations

import json
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
        return [_call(b.tool_call_id, b.tool_name, b.tool_kwargs) for b in blocks]
    return [_raw_call(call) for call in message.additional_kwargs.get("tool_calls") or []]


def _raw_call(call: Any) -> dict[str, Any]:
    """A call as OpenAI's API writes it, plain or as an object of its client."""
    raw = call if isinstance(call, Mapping) else call.model_dump()
    function = raw["function"]
    return _call(raw.get("id"), function["name"], function.get("arguments"))


def _call(call_id: str | None, name: str, arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": _object(arguments)}
    return {"id": call_id or name, "type": "function", "function": function}


def _object(arguments: Any) -> Any:
    """Arguments as an object; text that is no JSON stays as it is, for the model to see."""
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments
