"""A chat request through the engine: forms hold, whole answers tell what streams tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eft_integrations import Engine, InvalidRequest, UnknownOption
from eft_integrations.chat import ChatRequest, Prepared, events_of, prepare
from eft_integrations.chat.events import CallDelta, CallStart, ChatEvent, Finish, TextDelta
from eft_integrations.chat.reader import read

MESSAGES = [{"role": "user", "content": "Add 2 and 3."}]
ADD: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"enum": [1, 2]}, "b": {"type": "boolean"}},
            "required": ["a"],
        },
    },
}
NOW: dict[str, Any] = {"type": "function", "function": {"name": "now", "description": "Time."}}
RECORD = {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}


def asked(**changes: Any) -> ChatRequest:
    return ChatRequest(**{"messages": MESSAGES, "tools": [ADD, NOW], **changes})


def answer(engine: Engine, prepared: Prepared, **options: Any) -> list[ChatEvent]:
    generation = engine.generate(
        dict(prepared.prompts), grammar=prepared.grammar, **{"max_tokens": 64, **options}
    )
    return events_of(engine, prepared, generation)


def calls(events: list[ChatEvent]) -> list[tuple[str, Any]]:
    names = {e.index: e.name for e in events if isinstance(e, CallStart)}
    texts = {
        i: "".join(e.arguments for e in events if isinstance(e, CallDelta) and e.index == i)
        for i in names
    }
    return [(name, json.loads(texts[i])) for i, name in names.items()]


@pytest.mark.parametrize("seed", range(6))
def test_a_forced_call_is_valid_whatever_the_model(engine: Engine, seed: int) -> None:
    prepared = prepare(engine, asked(tool_choice="any", parallel_tool_calls=False))
    events = answer(engine, prepared, temperature=2.0, seed=seed)
    ((name, arguments),) = calls(events)
    assert name in ("add", "now")
    assert set(arguments) <= {"a", "b"}
    assert name == "now" or arguments["a"] in (1, 2)
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == "tool_calls"


def test_a_named_tool_is_called_once(engine: Engine) -> None:
    events = answer(engine, prepare(engine, asked(tool_choice="now")))
    assert calls(events) == [("now", {})]


@pytest.mark.parametrize("choice", ["none", "auto", "any"])
def test_a_response_format_is_json_unless_it_calls(engine: Engine, choice: str) -> None:
    prepared = prepare(engine, asked(tool_choice=choice, response_format=RECORD))
    events = answer(engine, prepared, temperature=1.0, seed=1)
    text = "".join(e.text for e in events if isinstance(e, TextDelta))
    if choice == "none":
        assert isinstance(json.loads(text)["x"], bool)
    assert bool(calls(events)) != bool(text)
    assert choice != "any" or calls(events)


@pytest.mark.parametrize("choice", ["any", "add"])
def test_a_stream_tells_what_the_whole_answer_tells(engine: Engine, choice: str) -> None:
    prepared = prepare(engine, asked(tool_choice=choice, parallel_tool_calls=False))
    options: dict[str, Any] = {"grammar": prepared.grammar, "max_tokens": 64, "seed": 3}
    with engine.stream(dict(prepared.prompts), temperature=1.0, **options) as stream:
        streamed = read(prepared.reader(), stream)
    assert calls(streamed) == calls(answer(engine, prepared, temperature=1.0, seed=3))


def test_the_prompt_length_is_what_the_engine_counts(engine: Engine) -> None:
    prepared = prepare(engine, asked())
    generation = engine.generate(dict(prepared.prompts), max_tokens=1)
    assert generation.usage.prompt_tokens == prepared.prompt_len


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"tool_choice": "ad"}, UnknownOption, "did you mean 'add'"),
        ({"tool_choice": "any", "tools": []}, InvalidRequest, "needs a tool"),
        ({"tools": [{"no": "name"}]}, InvalidRequest, "a tool is"),
        ({"messages": []}, InvalidRequest, "non-empty"),
        ({"response_format": "json"}, InvalidRequest, "must be a JSON schema"),
        ({"templates": 5}, InvalidRequest, "map roles"),
        ({"toolz": []}, UnknownOption, "did you mean 'tools'"),
        ({"react": []}, InvalidRequest, "map names"),
        ({"react": {"add": None}}, InvalidRequest, "exclude each other"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(
    changes: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        asked(**changes)
