"""Hermes tool calls: what parses is a call, what does not stays text and is reported."""

import json

import pytest

from eft_integrations.chat.dialects import Call
from eft_integrations.chat.dialects.hermes import parsed


def written(name: str, **arguments: object) -> str:
    body = json.dumps({"name": name, "arguments": arguments})
    return f"<tool_call>\n{body}\n</tool_call>"


def test_a_text_without_calls_is_itself() -> None:
    found = parsed(" Hello.\n")
    assert (found.text, found.calls, found.problems) == (" Hello.\n", (), ())


def test_calls_come_in_order_and_leave_the_rest() -> None:
    found = parsed(f"One moment.\n{written('add', a=1, b=[2])}\n{written('now')}")
    assert found.text == "One moment."
    assert found.calls == (
        Call(name="add", arguments={"a": 1, "b": [2]}),
        Call(name="now", arguments={}),
    )
    assert not found.problems


def test_the_closing_mark_may_stand_inside_a_string() -> None:
    found = parsed(written("say", text="</tool_call> {"))
    assert found.calls == (Call(name="say", arguments={"text": "</tool_call> {"}),)
    assert found.text == ""


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[1]",
        '{"arguments": {}}',
        '{"name": 3}',
        '{"name": "f", "arguments": "x"}',
        "",
        "[" * 9**5,
    ],
)
def test_what_does_not_parse_stays_text_and_is_reported(body: str) -> None:
    text = f"a<tool_call>{body}</tool_call>b"
    found = parsed(text)
    assert found.text == text
    assert not found.calls
    (problem,) = found.problems
    assert "at character 1 " in problem


def test_a_call_that_never_closes_stays_text() -> None:
    text = written("add", a=1).removesuffix("</tool_call>")
    found = parsed(text)
    assert found.text == text
    assert "</tool_call> is missing" in found.problems[0]


def test_a_broken_call_does_not_hide_the_next() -> None:
    found = parsed(f"<tool_call>oops</tool_call>{written('add', a=1)}")
    assert [call.name for call in found.calls] == ["add"]
    assert found.text == "<tool_call>oops</tool_call>"
    assert len(found.problems) == 1
