"""The dialect of Hermes and Qwen: a JSON object between ``<tool_call>`` and ``</tool_call>``.

Format: https://github.com/NousResearch/Hermes-Function-Calling.
"""

from __future__ import annotations

import json
import re

from eft_integrations.chat.dialects import Call, Dialect, Parsed

OPEN, CLOSE = "<tool_call>", "</tool_call>"

DIALECT = Dialect(
    name="hermes",
    signs=(OPEN,),
    opening=OPEN,
    head='\n{"name": ',
    middle=', "arguments": ',
    tail="}\n" + CLOSE,
    joint="\n" + OPEN,
)

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"\s*")


def parsed(text: str) -> Parsed:
    """Cut the calls out of ``text``. A call that does not parse stays in it and is reported."""
    plain: list[str] = []
    calls: list[Call] = []
    problems: list[str] = []
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        plain.append(text[position:start])
        position = start + len(OPEN)
        try:
            call, position = _call(text, position)
            calls.append(call)
        except ValueError as error:
            problems.append(f"the tool call at character {start} does not parse: {error}")
            plain.append(OPEN)
    shown = "".join([*plain, text[position:]])
    return Parsed(
        text=shown.strip() if calls else shown, calls=tuple(calls), problems=tuple(problems)
    )


def _call(text: str, position: int) -> tuple[Call, int]:
    """The call whose JSON begins at ``position``, and where the text goes on behind it.

    The JSON decoder finds the end, since a string inside may hold the closing mark.
    """
    try:
        value, end = _DECODER.raw_decode(text, _skip(text, position))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    end = _skip(text, end)
    if not text.startswith(CLOSE, end):
        raise ValueError(f"{CLOSE} is missing behind its JSON")
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError('it is no object with a "name"')
    arguments = value.get("arguments", {})
    if not isinstance(arguments, dict):
        raise ValueError(f'"arguments" must be an object, got {arguments!r}')
    return Call(name=value["name"], arguments=arguments), end + len(CLOSE)


def _skip(text: str, position: int) -> int:
    """The first position from here on that is no white space."""
    found = _SPACE.match(text, position)
    return found.end() if found else position
