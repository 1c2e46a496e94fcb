"""Turns that a template refuses, said so that it takes them."""

from __future__ import annotations

from typing import Any

import pytest

from eft_integrations import Engine, InvalidRequest
from eft_integrations.chat import ChatRequest, prepare
from eft_integrations.chat.dialects.choice import DIALECTS
from eft_integrations.chat.repair import joined, named, spoken, without_system

ALTERNATING = (
    "{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns') }}{% endif %}"
    "[{{ m.role }}]{{ m.content }}{% endfor %}"
)
CALL: dict[str, Any] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "1", "function": {"name": "add", "arguments": {"a": 1}}}],
}


def turn(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def text_of(engine: Engine, request: ChatRequest) -> str:
    ids = prepare(engine, request).prompts["base"]
    return str(engine.tokenizer().decode(ids))


def test_neighbours_become_one_turn() -> None:
    merged = joined([turn("user", "a"), turn("user", "b"), turn("assistant", "c")])
    assert merged == [turn("user", "a\n\nb"), turn("assistant", "c")]


def test_results_of_tools_stay_apart_and_get_their_names() -> None:
    results = [{**turn("tool", "2"), "tool_call_id": "1"}, turn("tool", "3")]
    found = joined(named([CALL, *results]))
    assert [t.get("name") for t in found] == [None, "add", None]


def test_a_system_message_moves_into_the_next_user_turn() -> None:
    turns = [turn("system", "s"), turn("user", "a"), turn("assistant", "b")]
    assert without_system(turns) == [turn("user", "s\n\na"), turn("assistant", "b")]
    assert without_system([turn("system", "s")]) == [turn("user", "s")]


def test_a_template_that_demands_alternation_gets_it(engine: Engine) -> None:
    turns = [turn("system", "s"), turn("system", "t"), turn("user", "a"), turn("user", "b")]
    templates = dict.fromkeys(engine.roles.available, ALTERNATING)
    request = ChatRequest(messages=turns, templates=templates)
    assert text_of(engine, request) == "[user]s\n\nt\n\na\n\nb"


def test_the_first_refusal_is_told_where_no_repair_helps(engine: Engine) -> None:
    templates = dict.fromkeys(engine.roles.available, "{{ raise_exception('never') }}")
    with pytest.raises(InvalidRequest, match="never"):
        prepare(engine, ChatRequest(messages=[turn("user", "a")], templates=templates))


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
def test_a_template_without_tools_is_told_them_in_words(dialect: Any) -> None:
    tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
    result = {**turn("tool", "2"), "tool_call_id": "1"}
    system, user, called, answered = spoken([turn("user", "a"), CALL, result], [tool], dialect)
    assert '"name": "add"' in system["content"]
    assert user == turn("user", "a")
    assert dialect.named("add") + dialect.middle in called["content"]
    assert answered == turn("user", "<tool_response>\n2\n</tool_response>")
