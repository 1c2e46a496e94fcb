"""LlamaIndex's tools and classes → the JSON schemas of the chat room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.tools import BaseTool
from pydantic import BaseModel

from eft_integrations.chat.schema import in_envelope
from eft_integrations.chat.template import listed
from eft_integrations.errors import InvalidRequest

_PROGRAM = "llama_index.core.program.function_program"


def tool_schemas(tools: Sequence[Any]) -> list[Any]:
    """Tools of LlamaIndex as schemas with their own names; schemas and functions as they are.

    LlamaIndex's ``to_openai_tool`` would change names such as ``Box[int]``, which are then not
    found again, and refuses long descriptions.
    """
    return [_schema(tool) if isinstance(tool, BaseTool) else tool for tool in listed(tools)]


def _schema(tool: BaseTool) -> dict[str, Any]:
    function = {
        "name": tool.metadata.get_name(),
        "description": tool.metadata.description or "",
        "parameters": tool.metadata.get_parameters_dict(),
    }
    return {"type": "function", "function": function}


def is_answer_form(tools: Sequence[Any]) -> bool:
    """Whether these tools are the one that LlamaIndex's program makes of an output class.

    Where the program streams, it forgets to say that the tool is required.
    """
    functions = [getattr(tool, "fn", None) for tool in tools]
    return len(functions) == 1 and getattr(functions[0], "__module__", None) == _PROGRAM


def response_schema(response_format: Any) -> dict[str, Any] | None:
    """The JSON schema of an answer, from a class, OpenAI's envelope or a plain schema."""
    if response_format is None:
        return None
    if isinstance(response_format, type) and issubclass(response_format, BaseModel):
        return response_format.model_json_schema()
    if not isinstance(response_format, Mapping):
        raise InvalidRequest(
            f"response_format must be a pydantic class or a JSON schema, got {response_format!r}"
        )
    return in_envelope(response_format)
