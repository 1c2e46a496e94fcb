"""Classes, functions and schemas → JSON schemas, also where LangChain's conversion cuts them off.

It drops what a class says of itself inside itself, and schemas without properties at their root.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from inspect import isfunction
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.tools.base import create_schema_from_function
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from pydantic import BaseModel

from eft_integrations.errors import InvalidRequest

_REFERENCE = re.compile(r'"\$ref": "#/(?:\$defs|definitions)/([^"]+)"')
# What makes a mapping a description of a function rather than a schema.
_FUNCTION = frozenset({"name", "function", "toolSpec"})
_ROOTS = frozenset({"$ref", "anyOf", "oneOf", "allOf", "items"})


def openai_tool(given: Any, strict: bool | None = None) -> dict[str, Any]:
    """A tool as OpenAI's API knows it."""
    told = _converted(convert_to_openai_tool, given, strict)
    whole = _whole(given) if "function" in told else None
    if whole is None:
        return told
    parameters = {k: v for k, v in whole.items() if k not in ("title", "description")}
    return {**told, "function": {**told["function"], "parameters": parameters}}


def answer_schema(given: Any, strict: bool | None = None) -> dict[str, Any]:
    """The schema of an answer."""
    if not strict and isinstance(given, Mapping) and not _FUNCTION & given.keys():
        return dict(given)
    return _whole(given) or _converted(convert_to_json_schema, given, strict)


def _converted(
    convert: Callable[..., dict[str, Any]], given: Any, strict: bool | None
) -> dict[str, Any]:
    try:
        return dict(convert(given, strict=strict))
    except Exception as error:  # whatever its type or its docstring lacks
        raise InvalidRequest(
            f"LangChain makes no JSON schema of {given!r}: {error}; give a pydantic class, whose "
            f"fields may have defaults, or a JSON schema"
        ) from error


def _whole(given: Any) -> dict[str, Any] | None:
    """The schema of what LangChain would cut off."""
    schema = _schema(given)
    is_cut = schema is not None and (_is_recursive(schema) or "properties" not in schema)
    return schema if is_cut else None


def _schema(given: Any) -> dict[str, Any] | None:
    if isinstance(given, BaseTool):
        given = given.tool_call_schema
    elif isfunction(given):
        given = create_schema_from_function(given.__name__, given)
    if isinstance(given, type):
        return given.model_json_schema() if issubclass(given, BaseModel) else None
    is_schema = isinstance(given, Mapping) and not _FUNCTION & given.keys()
    return dict(given) if is_schema and _ROOTS & given.keys() else None


def _is_recursive(schema: Mapping[str, Any]) -> bool:
    """Whether a definition is met again inside itself."""
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    named = {name: _REFERENCE.findall(json.dumps(part)) for name, part in definitions.items()}
    try:
        TopologicalSorter(named).prepare()
    except CycleError:
        return True
    return False
