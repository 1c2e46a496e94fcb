"""Reading an answer: the same events whole or piece by piece, and nothing dropped."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from eft_integrations.chat.arguments import Arguments
from eft_integrations.chat.dialects.choice import DIALECTS
from eft_integrations.chat.events import (
    CallDelta,
    CallStart,
    ChatEvent,
    Finish,
    Problem,
    ReasoningDelta,
    TextDelta,
)
from eft_integrations.chat.reader import Reader, read
from eft_integrations.request import TokenEvent, Usage

USAGE = Usage(prompt_tokens=1, completion_tokens=1)
HERMES = DIALECTS["hermes"]
ARGUMENTS = '{"a": [1, {"b": "}] \\" </tool_call>"}]}'
CALL = f'<tool_call>\n{{"name": "add", "arguments": {ARGUMENTS}}}\n</tool_call>'
NOW = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'


def spoken(text: str, size: int) -> list[TokenEvent]:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    events = [TokenEvent(index=i, token_id=i, text=piece) for i, piece in enumerate(pieces)]
    end = TokenEvent(index=len(pieces), token_id=None, text="", finish_reason="stop", usage=USAGE)
    return [*events, end]


def told(events: Sequence[ChatEvent]) -> tuple[str, str, list[tuple[str, str]], list[str], str]:
    """Text, thoughts, calls, problems and the reason of the end."""
    calls = {e.index: (e.name, "") for e in events if isinstance(e, CallStart)}
    for event in events:
        if isinstance(event, CallDelta):
            name, arguments = calls[event.index]
            calls[event.index] = (name, arguments + event.arguments)
    (finish,) = [e for e in events if isinstance(e, Finish)]
    return (
        "".join(e.text for e in events if isinstance(e, TextDelta)),
        "".join(e.text for e in events if isinstance(e, ReasoningDelta)),
        list(calls.values()),
        [e.reason for e in events if isinstance(e, Problem)],
        finish.reason,
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello <b> \n", ("Hello <b> \n", "", [], [], "stop")),
        (f"One.\n\n{CALL}", ("One.", "", [("add", ARGUMENTS)], [], "tool_calls")),
        (
            f"{CALL}\n{NOW}",
            ("", "", [("add", ARGUMENTS), ("now", "{}")], [], "tool_calls"),
        ),
        (
            "<think>\nHm <tool.</think>\n\nYes.",
            ("Yes.", "Hm <tool.", [], [], "stop"),
        ),
    ],
    ids=["text", "call", "calls", "thought"],
)
def test_pieces_of_any_size_tell_the_same(
    size: int, text: str, expected: tuple[str, str, list[tuple[str, str]], list[str], str]
) -> None:
    reader = Reader(HERMES, reads_reasoning=True)
    assert told(read(reader, spoken(text, size))) == expected


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("name", list(DIALECTS))
def test_every_dialect_reads_its_own_calls(name: str, size: int) -> None:
    dialect = DIALECTS[name]
    one = f"{dialect.head}{dialect.named('add')}{dialect.middle}{ARGUMENTS}{dialect.tail}"
    text = f"{dialect.opening}{dialect.start}{one}{dialect.end}"
    found = told(read(Reader(dialect), spoken(text, size)))
    assert found == ("", "", [("add", ARGUMENTS)], [], "tool_calls")


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    "text",
    [
        CALL[:-3],
        CALL[:40],
        "<tool_call>",
        "<tool_call>\n{",
        '<tool_call>\n{"name": 3}\n</tool_call>',
        '<tool_call>\n{"name": "f"}\n</tool_call>',
        "Hm <tool_call>{}</tool_call> so.",
    ],
)
def test_what_does_not_parse_is_text_and_a_problem(text: str, size: int) -> None:
    found = told(read(Reader(HERMES), spoken(text, size)))
    assert "".join(found[0].split()) == "".join(text.split())
    assert len(found[3]) == 1
    assert found[4] == "stop"


def test_without_tools_nothing_is_a_call() -> None:
    assert told(read(Reader(None), spoken(CALL, 3)))[0] == CALL


def test_a_thought_that_the_prompt_opened_needs_no_sign() -> None:
    reader = Reader(None, reads_reasoning=True, is_thinking=True)
    assert told(read(reader, spoken("So.</think>\nYes.", 2)))[:2] == ("Yes.", "So.")


def test_a_mark_without_text_is_read_by_its_token() -> None:
    dialect = DIALECTS["mistral"]
    mark = TokenEvent(index=0, token_id=99, text="")
    events = [mark, *spoken('[{"name": "now", "arguments": {}}]', 4)]
    reader = Reader(dialect, marks={99: dialect.opening})
    assert told(read(reader, events))[2:] == ([("now", "{}")], [], "tool_calls")


@pytest.mark.parametrize("end", range(1, len(ARGUMENTS)))
def test_behind_a_mismatch_no_beginning_is_taken_for_json(end: int) -> None:
    arguments = Arguments()
    begun = arguments.push(ARGUMENTS[:end])
    broken = begun + arguments.mismatch
    for closing in ("", "}", "]}", '"}', '"}]}', "]}]}"):
        with pytest.raises(json.JSONDecodeError):
            json.loads(broken + closing)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_names_without_quotes_are_read_up_to_their_mark(size: int) -> None:
    text = f"Yes.[TOOL_CALLS]add[ARGS]{ARGUMENTS}[TOOL_CALLS]now[ARGS]{{}}"
    found = told(read(Reader(DIALECTS["mistral_args"]), spoken(text, size)))
    assert found == ("Yes.", "", [("add", ARGUMENTS), ("now", "{}")], [], "tool_calls")


@pytest.mark.parametrize("text", ["[TOOL_CALLS]add", "[TOOL_CALLS] {}", "[TOOL_CALLS]add[ARGS]{"])
def test_half_a_call_without_quotes_is_text_and_a_problem(text: str) -> None:
    found = told(read(Reader(DIALECTS["mistral_args"]), spoken(text, 2)))
    assert (found[0], len(found[3]), found[4]) == (text, 1, "stop")


def test_the_end_of_the_arguments_is_found() -> None:
    arguments = Arguments()
    assert arguments.push(ARGUMENTS + "}\n") == ARGUMENTS
    assert arguments.is_done
