"""What two of LlamaIndex's own prompts ask for without saying it in a keyword.

They are known by LlamaIndex's own constants; a prompt that was rewritten is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_index.core.agent.react.prompts import REACT_CHAT_SYSTEM_HEADER
from llama_index.core.output_parsers.pydantic import PYDANTIC_FORMAT_TMPL

Turn = Mapping[str, Any]

# All of the header behind its last placeholder: the form in which observations come.
_REACT = REACT_CHAT_SYSTEM_HEADER.rpartition("}")[2].strip()
_OBSERVATION = "Observation:"
_BEFORE_SCHEMA, _, _BEHIND_SCHEMA = PYDANTIC_FORMAT_TMPL.strip().partition("{schema}")


@dataclass(frozen=True, kw_only=True)
class Meant:
    """Messages, the stop strings of a ReAct prompt, and the schema that a prompt told."""

    messages: Sequence[Turn]
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None


def meant(messages: Sequence[Turn]) -> Meant:
    """ReAct: the model must not invent observations. Pydantic's parser: its schema is the form.

    The schema leaves its message, where its braces are doubled; the chat room tells it anew.
    """
    stop = (_OBSERVATION,) if any(map(_is_react, messages)) else ()
    for position, message in enumerate(messages):
        told = _without_schema(message["content"])
        if told is not None:
            text, schema = told
            turns = [*messages]
            turns[position] = {**message, "content": text}
            return Meant(messages=turns, stop=stop, schema=schema)
    return Meant(messages=messages, stop=stop)


def _is_react(message: Turn) -> bool:
    return message["role"] == "system" and _REACT in message["content"]


def _without_schema(text: str) -> tuple[str, Mapping[str, Any]] | None:
    before, found, rest = text.partition(_BEFORE_SCHEMA)
    told, closed, behind = rest.partition(_BEHIND_SCHEMA)
    if not found or not closed:
        return None
    schema = _schema(told)
    return None if schema is None else (f"{before.rstrip()}{behind}".strip(), schema)


def _schema(told: str) -> Mapping[str, Any] | None:
    for text in (told, told.replace("{{", "{").replace("}}", "}")):
        try:
            schema = json.loads(text)
        except ValueError:
            continue
        return schema if isinstance(schema, Mapping) else None
    return None
