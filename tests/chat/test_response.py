"""Answers by a tokenizer's own response template: the same whole or piece by piece."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import Engine, InvalidRequest
from eft_integrations.chat import ChatRequest, prepare
from eft_integrations.chat.reader import read
from eft_integrations.chat.response import TemplateReader, dialect_read_by
from tests.chat.test_dialects import MESSAGES, TOOL, calls
from tests.chat.test_reader import spoken, told
from tests.conftest import ROLES, llama, open_trio, save_trio

START = "<|im_start|>assistant\n"
THOUGHT = {"open": "<think>", "close": "</think>", "content": "text"}
TEXT = {"close": "<|im_end|>", "content": "text"}
FUNCTION = {"name": "{name}", "arguments": "{content}"}
QWEN: dict[str, Any] = {
    "start_anchor": START,
    "fields": {
        "reasoning_content": THOUGHT,
        "tool_calls": {
            "open_pattern": r"\s*<tool_call>",
            "close": "</tool_call>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": TEXT,
    },
}
TAGGED: dict[str, Any] = {
    "start_anchor": START,
    "fields": {
        "tool_calls": {
            "open_pattern": r"<do:(?P<name>\w+)>",
            "close": "</do>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": FUNCTION},
        },
        "content": TEXT,
    },
}
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
ADDED = ("add", '{"a": 1}')


def with_template(tokenizer: Any, template: Any) -> Any:
    own = copy.deepcopy(tokenizer)
    own.response_template = template
    return own


def reader(tokenizer: Any, template: Any, prefix: str = START, **changes: bool) -> TemplateReader:
    parser = with_template(tokenizer, template).get_response_parser(prefix=prefix)
    return TemplateReader(parser, {}, **{"may_call": True, "tells_thoughts": True, **changes})


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("template", "text", "expected"),
    [
        (QWEN, "Hello <b> you.", ("Hello <b> you.", "", [], [], "stop")),
        (QWEN, f"One.\n\n{CALL}\n{CALL}", ("One.", "", [ADDED, ADDED], [], "tool_calls")),
        (QWEN, "<think>\nHm.\n</think>\n\nYes.", ("Yes.", "Hm.", [], [], "stop")),
        (TAGGED, 'So. <do:add>{"a": 1}</do>', ("So.", "", [ADDED], [], "tool_calls")),
    ],
    ids=["text", "calls", "thought", "tagged"],
)
def test_pieces_of_any_size_tell_the_same(
    tokenizer: Any, size: int, template: Any, text: str, expected: Any
) -> None:
    assert told(read(reader(tokenizer, template), spoken(text, size))) == expected


def test_what_the_prompt_began_goes_on(tokenizer: Any) -> None:
    found = told(read(reader(tokenizer, QWEN, START + "<think>\n"), spoken("So.</think>Yes.", 2)))
    assert found[:2] == ("Yes.", "So.")


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    "call", ["<tool_call>{no}</tool_call>", "<tool_call>3</tool_call>", CALL[:30]]
)
def test_what_does_not_parse_is_text_and_a_problem(tokenizer: Any, call: str, size: int) -> None:
    found = told(read(reader(tokenizer, QWEN), spoken(f"Well, {call}", size)))
    assert "".join(found[0].split()) == "".join(f"Well, {call}".split())
    assert (found[2], len(found[3]), found[4]) == ([], 1, "stop")


def test_what_nobody_asked_for_is_text(tokenizer: Any) -> None:
    text = f"<think>Hm.</think>Yes. {CALL}"
    silent = reader(tokenizer, QWEN, may_call=False, tells_thoughts=False)
    shown, thought, called, problems, _ = told(read(silent, spoken(text, 3)))
    assert (thought, called, problems) == ("", [], [])
    assert shown == f"Hm.Yes. {CALL}"


def test_a_dialect_is_known_by_what_is_read(tokenizer: Any) -> None:
    found = [dialect_read_by(with_template(tokenizer, t)) for t in (QWEN, TAGGED, {"bad": 1})]
    assert [dialect and dialect.name for dialect in found] == ["hermes", None, None]


@pytest.fixture(params=[QWEN, TAGGED, {"bad": 1}], ids=["qwen", "tagged", "bad"])
def opened(request: Any, tmp_path: Path, tokenizer: Any) -> Iterator[tuple[Engine, Any]]:
    own = with_template(tokenizer, request.param)
    save_trio(tmp_path, own, {role: llama(own) for role in ROLES})
    with open_trio(tmp_path) as engine:
        yield engine, request.param


def test_a_call_is_forced_where_a_grammar_knows_its_dialect(opened: tuple[Engine, Any]) -> None:
    engine, template = opened
    if template is QWEN:
        ((name, arguments),) = calls(engine, None)
        assert (name, list(arguments)) == ("turn", ["way"])
        return
    forced = ChatRequest(messages=MESSAGES, tools=[TOOL], tool_choice="any")
    with pytest.raises(InvalidRequest, match="response_template"):
        prepare(engine, forced)
    assert calls(engine, "hermes")[0][0] == "turn"
    free = ChatRequest(messages=MESSAGES, tools=[TOOL])
    if template is TAGGED:
        assert prepare(engine, free).grammar is None
    else:
        with pytest.raises(InvalidRequest, match="does not load"):
            prepare(engine, free)
