"""What some of LlamaIndex's own prompts ask for without saying it in a keyword.

They are known by LlamaIndex's own constants; a prompt that was rewritten is not.
"""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_index.core.agent.react.prompts import (
    CONTEXT_REACT_CHAT_SYSTEM_HEADER,
    REACT_CHAT_SYSTEM_HEADER,
)
from llama_index.core.agent.workflow.prompts import DEFAULT_HANDOFF_PROMPT
from llama_index.core.base.base_selector import MultiSelection, SingleSelection
from llama_index.core.output_parsers.pydantic import PYDANTIC_FORMAT_TMPL
from llama_index.core.output_parsers.selection import FORMAT_STR
from llama_index.core.question_gen.prompts import PREFIX
from llama_index.core.question_gen.types import SubQuestionList
from llama_index.core.selectors.prompts import DEFAULT_SINGLE_SELECT_PROMPT_TMPL

Turn = Mapping[str, Any]

# All of the header behind its last placeholder: the form in which observations come.
_REACT = REACT_CHAT_SYSTEM_HEADER.rpartition("}")[2].strip()
_BEFORE_ACTIONS = REACT_CHAT_SYSTEM_HEADER.partition("{tool_desc}")[0]
# The line behind the tools: a context that follows them may hold whatever a user wrote.
_BEHIND_ACTIONS = [
    header.partition("{tool_desc}")[2].strip().partition("\n")[0]
    for header in (CONTEXT_REACT_CHAT_SYSTEM_HEADER, REACT_CHAT_SYSTEM_HEADER)
]
_ACTION = re.compile(
    r"^> Tool Name: (.+)\nTool Description: ((?s:.*?))\nTool Args: (\{.*\})$", re.M
)
_OBSERVATION = "Observation:"
# What may stand behind a form: what comes after more text is a text about the form.
_LABEL = re.compile(r"\s*(?:[\w ]{1,20}:)?\s*")
_BEFORE_SCHEMA, _, _BEHIND_SCHEMA = PYDANTIC_FORMAT_TMPL.strip().partition("{schema}")
_SELECTION = FORMAT_STR.strip()
_SINGLE = DEFAULT_SINGLE_SELECT_PROMPT_TMPL.partition("{context_list}")[2].partition("{")[0]
_NUM_CHOICES = re.compile(r"numbered\s+list\s+\(1 to (\d+)\)")  # in the words of all selectors
_MOST = re.compile(r"\(no more than (\d+),")
# What tells the tools of pydantic selectors from others: all that they take.
_SELECTIONS = [k.model_json_schema()["properties"] for k in (SingleSelection, MultiSelection)]
_HANDOFF = DEFAULT_HANDOFF_PROMPT.partition("{agent_info}")[0]
_TOOLS = "<Tools>\n```json\n"

Told = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Meant:
    """Messages, what a ReAct prompt stops at and lets call, and the schema that a prompt told.

    ``bare`` are the messages without that schema, for whoever tells it anew.
    """

    messages: Sequence[Turn]
    stop: tuple[str, ...] = ()
    actions: Mapping[str, Any] | None = None
    schema: Mapping[str, Any] | None = None
    bare: Sequence[Turn] = ()


def meant(messages: Sequence[Turn]) -> Meant:
    """ReAct: what its parser reads, and no invented observations. Parsers of JSON: what they read.

    A schema leaves its message, where its braces are doubled; the chat room tells it anew.
    """
    for message in messages:
        if message["role"] == "system" and _REACT in message["content"]:
            actions = _actions(message["content"])
            return Meant(messages=messages, stop=(_OBSERVATION,), actions=actions)
    for position, message in enumerate(messages):
        # Core's parsers write into the system message, or into the last one; what stands in others
        # was said before.
        if message["role"] != "system" and position != len(messages) - 1:
            continue
        told = (read(message["content"]) for read in (_of_class, _of_selection, _of_questions))
        for text, schema in filter(None, told):
            turns = [*messages]
            turns[position] = {**message, "content": text}
            return Meant(messages=messages, schema=schema, bare=turns)
    return Meant(messages=messages)


def bounded(tools: Sequence[Any], messages: Sequence[Turn]) -> list[Any]:
    """Tool schemas where pydantic selectors may only name choices that there are, from 1 on.

    And agents of a workflow only agents to whom they may hand over. Selectors give their reason
    before the choice, which then follows from it (arXiv 2201.11903).
    """
    asking = " ".join(str(message["content"]) for message in messages)
    last = _number(_NUM_CHOICES, asking)
    return [
        _bounded(tool, last, asking) if last and _selects(tool) else _handing_over(tool)
        for tool in tools
    ]


def _handing_over(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or not function.get("parameters"):
        return tool
    form = _to_agents(function["parameters"], str(function.get("description")))
    return {**tool, "function": {**function, "parameters": form}}


def _to_agents(form: Any, description: str) -> Any:
    """Parameters of the tool that LlamaIndex makes to hand over: only to whom there is."""
    before, found, behind = description.partition(_HANDOFF)
    if before or not found:
        return form
    try:
        agents = [*ast.literal_eval(behind.strip())]  # LlamaIndex prints a dict of descriptions
    except (ValueError, SyntaxError):
        return form
    if not agents:
        return form
    return {**form, "properties": {**form["properties"], "to_agent": {"enum": agents}}}


def _selects(tool: Any) -> bool:
    for key in ("function", "parameters", "properties"):
        tool = tool.get(key) if isinstance(tool, Mapping) else None
    return tool in _SELECTIONS


def _bounded(tool: Mapping[str, Any], last: int, asking: str) -> Mapping[str, Any]:
    told = copy.deepcopy(tool)
    form = told["function"]["parameters"]
    single = form.get("$defs", {}).get(SingleSelection.__name__, form)
    single["properties"] = {"reason": single["properties"]["reason"], "index": _one_of(last)}
    if single is not form:
        most = min(_number(_MOST, asking) or last, last)
        form["properties"]["selections"] |= {"minItems": 1, "maxItems": most}
    return told


def _actions(header: str) -> Mapping[str, Any] | None:
    """The tools that a header of ReAct lists, with the schemas of their inputs."""
    listed = header.partition(_BEFORE_ACTIONS)[2]
    for line in _BEHIND_ACTIONS:
        listed = listed.partition(f"\n{line}\n")[0]
    told = {}
    for name, description, text in _ACTION.findall(listed):
        schema = _schema(text)
        if schema is None:
            return None
        told[name] = _to_agents(schema, description)
    return told or None


def _of_class(text: str) -> Told | None:
    """The words of pydantic's parser."""
    before, found, rest = text.partition(_BEFORE_SCHEMA)
    told, closed, behind = rest.partition(_BEHIND_SCHEMA)
    if not found or not closed or not _LABEL.fullmatch(behind):
        return None
    schema = _schema(told)
    return None if schema is None else (f"{before.rstrip()}{behind}".strip(), schema)


def _of_selection(text: str) -> Told | None:
    """The words of the parser behind selectors that are no pydantic ones."""
    for example in (_SELECTION, _SELECTION.replace("{", "{{").replace("}", "}}")):
        before, found, behind = text.partition(example)
        behind = behind.replace(example, "")  # selectors of several write it twice
        if found and _LABEL.fullmatch(behind):
            last = _number(_NUM_CHOICES, before)
            number = _one_of(last) if last else {"type": "integer", "minimum": 1}
            parts = {"reason": {"type": "string"}, "choice": number}
            choice = {"type": "object", "properties": parts, "required": list(parts)}
            most = 1 if _SINGLE in before else _number(_MOST, before)
            limit = {"maxItems": most} if most else {}
            schema = {"type": "array", "items": choice, "minItems": 1, **limit}
            return f"{before.rstrip()}{behind}".strip(), schema
    return None


def _one_of(last: int) -> dict[str, Any]:
    """The number of a choice: selectors count from 1."""
    return {"enum": [*range(1, last + 1)]}


def _number(pattern: re.Pattern[str], text: str) -> int:
    """The number that the prompt tells; 0 where it tells none."""
    found = pattern.search(text)
    return int(found[1]) if found else 0


def _of_questions(text: str) -> Told | None:
    """The prompt that divides a question among tools: those behind the ones of its example."""
    if not text.lstrip().startswith(PREFIX.strip()):
        return None
    try:
        tools, _ = json.JSONDecoder().raw_decode(text.split(_TOOLS, 2)[-1])
    except ValueError:
        return None
    schema = SubQuestionList.model_json_schema()
    schema["$defs"]["SubQuestion"]["properties"]["tool_name"] = {"enum": [*tools]}
    return text, schema


def _schema(told: str) -> Mapping[str, Any] | None:
    for text in (told, told.replace("{{", "{").replace("}}", "}")):
        try:
            schema = json.loads(text)
        except ValueError:
            continue
        return schema if isinstance(schema, Mapping) else None
    return None
