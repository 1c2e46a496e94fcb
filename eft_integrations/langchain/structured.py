"""Answers as objects: what is bound, and what parses it."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.base import OutputParserLike
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.pydantic import is_basemodel_subclass

from eft_integrations.errors import InvalidRequest, refuse_unknown
from eft_integrations.langchain.options import refuse_unknown_options
from eft_integrations.langchain.schemas import answer_schema, openai_tool

METHODS = ("json_schema", "function_calling", "json_mode")


def structured(
    bind: Callable[..., Runnable[Any, Any]],
    schema: Any,
    *,
    method: str = "json_schema",
    include_raw: bool = False,
    strict: bool | None = None,
    **kwargs: Any,
) -> Runnable[Any, Any]:
    """What ``bind`` makes a model of, with the parser of ``schema`` behind it."""
    refuse_unknown_options(kwargs, is_chat=True)
    model = bind(**{**kwargs, **bound_keywords(schema, method, strict)})
    parser = parser_of(schema, method)
    return with_raw(model, parser) if include_raw else model | parser


def bound_keywords(schema: Any, method: str, strict: bool | None) -> dict[str, Any]:
    """The keywords that make a chat model write what the parser of ``schema`` reads."""
    refuse_unknown("method of with_structured_output", [method], METHODS)
    if schema is None and method != "json_mode":
        raise InvalidRequest(f"method={method!r} needs a schema; give a class or a JSON schema")
    told = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
    if method == "function_calling":
        tool = openai_tool(schema, strict)
        return {
            "tools": [tool],
            "tool_choice": tool["function"]["name"],
            "parallel_tool_calls": False,
            "ls_structured_output_format": told,
        }
    if schema is None:
        return {"response_format": {"type": "json_object"}}
    json_schema = answer_schema(schema, strict)
    envelope = {"name": json_schema.get("title", "answer"), "schema": json_schema}
    return {
        "response_format": {"type": "json_schema", "json_schema": envelope},
        "ls_structured_output_format": told,
    }


def parser_of(schema: Any, method: str) -> OutputParserLike[Any]:
    """What reads the answer: instances of a pydantic class, else plain values."""
    is_pydantic = isinstance(schema, type) and is_basemodel_subclass(schema)
    if method != "function_calling":
        return PydanticOutputParser(pydantic_object=schema) if is_pydantic else JsonOutputParser()
    if is_pydantic:
        return PydanticToolsParser(tools=[schema], first_tool_only=True)
    name = openai_tool(schema)["function"]["name"]
    return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def with_raw(model: Runnable[Any, Any], parser: OutputParserLike[Any]) -> Runnable[Any, Any]:
    """``{"raw", "parsed", "parsing_error"}``: an answer that does not parse is no exception."""
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")
