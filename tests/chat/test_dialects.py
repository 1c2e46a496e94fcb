"""Dialects end to end: marks that are text and marks that are control tokens."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from eft_integrations import Engine
from eft_integrations.chat import ChatRequest, events_of, prepare
from eft_integrations.chat.dialects.choice import DIALECTS
from eft_integrations.chat.events import CallDelta, CallStart, ChatEvent
from eft_integrations.chat.reader import read
from tests.conftest import ROLES, llama, open_trio, save_trio

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "turn",
        "description": "Turn.",
        "parameters": {
            "type": "object",
            "properties": {"way": {"enum": ["left", "right"]}},
            "required": ["way"],
        },
    },
}
MESSAGES = [{"role": "user", "content": "Turn left."}]


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Iterator[Engine]:
    """Members for which Mistral's marks are control tokens, without text of their own."""
    own = copy.deepcopy(tokenizer)
    own.add_special_tokens({"extra_special_tokens": ["[TOOL_CALLS]", "[ARGS]"]})
    folder = tmp_path_factory.mktemp("marked")
    save_trio(folder, own, {role: llama(own) for role in ROLES})
    with open_trio(folder) as opened:
        yield opened


def told(events: list[ChatEvent]) -> list[tuple[str, Any]]:
    names = {e.index: e.name for e in events if isinstance(e, CallStart)}
    texts = {
        i: "".join(e.arguments for e in events if isinstance(e, CallDelta) and e.index == i)
        for i in names
    }
    return [(name, json.loads(texts[i])) for i, name in names.items()]


def calls(engine: Engine, dialect: str | None) -> list[tuple[str, Any]]:
    """A forced call; the stream and the whole answer must tell the same."""
    request = ChatRequest(
        messages=MESSAGES,
        tools=[TOOL],
        tool_choice="any",
        parallel_tool_calls=False,
        dialect=dialect,
    )
    prepared = prepare(engine, request)
    options: dict[str, Any] = {"grammar": prepared.grammar, "max_tokens": 64}
    with engine.stream(dict(prepared.prompts), **options) as stream:
        streamed = told(read(prepared.reader(), stream))
    whole = engine.generate(dict(prepared.prompts), **options)
    assert told(events_of(engine, prepared, whole)) == streamed
    return streamed


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_calls(engine: Engine, dialect: str) -> None:
    ((name, arguments),) = calls(engine, dialect)
    assert name == "turn"
    assert arguments["way"] in ("left", "right")


@pytest.mark.parametrize("dialect", ["mistral", "mistral_args"])
def test_marks_that_are_control_tokens_are_forced_and_read(marked: Engine, dialect: str) -> None:
    assert {"[TOOL_CALLS]", "[ARGS]"} <= set(marked.encoder.control)
    ((name, _),) = calls(marked, dialect)
    assert name == "turn"
