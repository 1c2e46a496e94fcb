"""Tools, choices and response formats in all the forms in which LangChain knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eft_integrations.chat.schema import in_envelope
from eft_integrations.chat.template import listed
from eft_integrations.errors import InvalidRequest
from eft_integrations.langchain.schemas import answer_schema, openai_tool


def tool_schemas(tools: Sequence[Any], *, strict: bool | None = None) -> list[dict[str, Any]]:
    """Each tool as ``{"type": "function", "function": {name, description, parameters}}``."""
    return [_schema(tool, strict) for tool in listed(tools)]


def _schema(tool: Any, strict: bool | None) -> dict[str, Any]:
    schema = openai_tool(tool, strict)
    if "function" not in schema:
        raise InvalidRequest(f"the tool {tool!r} is run by a provider; give a function's schema")
    function = {key: value for key, value in schema["function"].items() if key != "strict"}
    return {"type": "function", "function": function}


def response_schema(response_format: Any) -> dict[str, Any] | None:
    """The JSON schema of an answer, from OpenAI's envelope, a class or a plain schema."""
    if response_format is None:
        return None
    if not isinstance(response_format, Mapping):
        return answer_schema(response_format)
    return in_envelope(response_format, answer_schema)
