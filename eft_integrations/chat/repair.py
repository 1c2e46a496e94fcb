"""Messages that a template refuses, or would not show, said so that it takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from eft_integrations.chat.dialects import Dialect

Turn = Mapping[str, Any]


def named(messages: Sequence[Turn]) -> list[Turn]:
    """Results of tools with the name of the tool, found by the id of the call."""
    names: dict[str, str] = {}
    out: list[Turn] = []
    for message in messages:
        for call in message.get("tool_calls") or []:
            names[str(call.get("id"))] = call["function"]["name"]
        name = names.get(str(message.get("tool_call_id")))
        is_nameless = message["role"] == "tool" and not message.get("name")
        out.append({**message, "name": name} if is_nameless and name else message)
    return out


def joined(messages: Sequence[Turn]) -> list[Turn]:
    """Neighbours of one role as one message, for templates that demand alternation."""
    out: list[Turn] = []
    for message in messages:
        if out and out[-1]["role"] == message["role"] and message["role"] != "tool":
            out[-1] = _together(out[-1], message)
        else:
            out.append(message)
    return out


def without_system(messages: Sequence[Turn]) -> list[Turn]:
    """System messages at the head of the next user message, for templates that know no system."""
    out: list[Turn] = []
    told: list[str] = []
    for message in messages:
        if message["role"] == "system":
            told.append(message["content"])
        elif message["role"] == "user" and told:
            out.append({**message, "content": "\n\n".join([*told, message["content"]])})
            told = []
        else:
            out.append(message)
    if told:
        out.append({"role": "user", "content": "\n\n".join(told)})
    return joined(out)


def with_system_first(messages: Sequence[Turn]) -> list[Turn]:
    """A leading system message stays; later ones go to a user, for templates that refuse them."""
    head = [message for message in messages[:1] if message["role"] == "system"]
    return [*head, *without_system(messages[len(head) :])]


def with_schema(
    messages: Sequence[Turn], schema: Mapping[str, Any], *, has_tools: bool
) -> list[Turn]:
    """A system message that tells the schema of the answer: a grammar holds, but does not explain.

    A schema that says no more than that it is an object has nothing to tell.
    """
    if schema.keys() <= {"type", "title", "description"}:
        return list(messages)
    when = "Where you call no function, answer" if has_tools else "Answer"
    told = json.dumps(schema, ensure_ascii=False)
    text = f"{when} with a JSON object that follows this schema and nothing else: {told}"
    has_system = messages[0]["role"] == "system"
    first, rest = (messages[:1], messages[1:]) if has_system else ((), messages)
    return [*joined([*first, {"role": "system", "content": text}]), *rest]


def spoken(messages: Sequence[Turn], tools: Sequence[Any], dialect: Dialect) -> list[Turn]:
    """Tools, calls and results as plain text, for templates that write none of them."""
    out = [_as_text(message, dialect) for message in messages]
    if not tools:
        return out
    told = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    example = f"{dialect.opening}{dialect.start}{dialect.head}function{dialect.middle}object"
    text = f"You may call these functions:\n{told}\nWrite each call as:\n{example}{dialect.tail}"
    return joined([{"role": "system", "content": text + dialect.end}, *out])


def _as_text(message: Turn, dialect: Dialect) -> Turn:
    if message["role"] == "tool":
        text = f"<tool_response>\n{message['content']}\n</tool_response>"
        return {"role": "user", "content": text}
    calls = message.get("tool_calls") or []
    if not calls:
        return message
    text = written([call["function"] for call in calls], dialect)
    content = message.get("content")
    return {"role": message["role"], "content": f"{content}\n{text}" if content else text}


def written(functions: Sequence[Mapping[str, Any]], dialect: Dialect) -> str:
    """Calls of functions as a model of this dialect writes them."""
    calls = (dialect.joint or " ").join(_call(function, dialect) for function in functions)
    return f"{dialect.opening}{dialect.start}{calls}{dialect.end}"


def _call(function: Mapping[str, Any], dialect: Dialect) -> str:
    name = dialect.named(function["name"])
    arguments = json.dumps(function["arguments"], ensure_ascii=False)
    return f"{dialect.head}{name}{dialect.middle}{arguments}{dialect.tail}"


def _together(first: Turn, second: Turn) -> Turn:
    contents = [turn["content"] for turn in (first, second) if turn.get("content")]
    calls = [*(first.get("tool_calls") or []), *(second.get("tool_calls") or [])]
    merged = {**first, **second, "content": "\n\n".join(contents)}
    return {**merged, "tool_calls": calls} if calls else merged
