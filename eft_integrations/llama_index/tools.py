"""LlamaIndex's tools and classes → the JSON schemas of the chat room."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import BaseTool, FunctionTool, ToolMetadata
from pydantic import BaseModel

from eft_integrations.chat.schema import in_envelope
from eft_integrations.chat.template import listed
from eft_integrations.errors import InvalidRequest

_PROGRAM = "llama_index.core.program.function_program"
_CALL = signature(FunctionCallingLLM.predict_and_call)
_PARTS = ("type", "properties", "required")


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
        "parameters": whole(tool).metadata.get_parameters_dict(),
    }
    return {"type": "function", "function": function}


class _WholeMetadata(ToolMetadata):
    """Also of a class that holds itself: the root of its schema is a reference, which core drops.

    What calls a tool in core looks for the properties that are there.
    """

    def get_parameters_dict(self) -> dict[str, Any]:
        told = super().get_parameters_dict()
        if "properties" in told or self.fn_schema is None:
            return told
        schema, definitions = self.fn_schema.model_json_schema(), told.get("$defs", {})
        if "$ref" not in schema:
            raise InvalidRequest(
                f"the arguments of tool {self.get_name()!r} must be an object, got "
                f"{self.fn_schema.__name__}, whose root is {schema.get('type', 'none')}; give it a "
                f"field with a name"
            )
        root = schema["$ref"].rpartition("/")[2]
        return {**{k: v for k, v in definitions[root].items() if k in _PARTS}, "$defs": definitions}


def whole(tool: Any) -> Any:
    """A function's tool with all of its parameters; anything else as it is."""
    if not isinstance(tool, FunctionTool) or type(tool.metadata) is not ToolMetadata:
        return tool
    twin = copy.copy(tool)
    twin._metadata = _WholeMetadata(**vars(tool.metadata))
    return twin


def with_requirement(tools: Sequence[Any], args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of ``predict_and_call``, however they were given, and whether a call must be."""
    given = _CALL.bind(None, [whole(tool) for tool in tools], *args, **kwargs).arguments
    further = given.pop("kwargs", {})
    named = {name: value for name, value in given.items() if name != "self"} | further
    return {"tool_required": named.get("error_on_no_tool_call", True), **named}


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


def without_call(response: ChatResponse) -> str:
    """What is wrong with an answer that calls no tool, by how it ended."""
    text, raw = response.message.content or "", response.raw or {}
    reason = raw.get("finish_reason") if isinstance(raw, Mapping) else None
    remedy = {"timeout": "raise timeout", "cancelled": "its scope was cancelled"}.get(str(reason))
    if reason == "length" and raw.get("problems"):  # half a call
        remedy = "raise max_tokens"
    return (
        f"the answer calls no tool, it ended by {reason!r}: {text[:80]!r}; "
        f"{remedy or 'pass tool_required=True'}"
    )
