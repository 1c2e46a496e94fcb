"""Closings: found for every schema that people write, near the shortest, and within the budget."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eft_integrations import Engine
from eft_integrations.request import Constraint

TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}


def record(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names}


ITEM = record({"i": WHOLE, "colour": {"enum": ["red", "green"]}})
# A schema, and a length that its shortest output may take on this vocabulary, plus slack.
SCHEMAS: dict[str, tuple[dict[str, Any], int]] = {
    "anything": ({"type": "object"}, 4),
    "optional properties": (record({f"a{i}": TEXT for i in range(8)}, []), 4),
    "nested": (record({"a": record({"b": TEXT, "c": {"type": "number"}})}), 30),
    "one of two": (
        {"anyOf": [record({f"long{i}": TEXT for i in range(8)}), record({"b": WHOLE})]},
        90,
    ),
    "formats": (
        record(
            {
                "d": {"type": "string", "format": "date-time"},
                "e": {"type": "string", "format": "email"},
                "u": {"type": "string", "format": "uri"},
            }
        ),
        64,
    ),
    "uuid": (record({"u": {"type": "string", "format": "uuid"}}), 48),
    "items": ({"type": "array", "items": ITEM, "minItems": 5}, 110),
    "numbers": ({"type": "array", "items": WHOLE, "minItems": 60}, 125),
    "recursive": (
        {
            "$defs": {
                "n": record({"v": WHOLE, "k": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}})
            },
            "$ref": "#/$defs/n",
        },
        24,
    ),
    "patterns": (
        record(
            {
                "s": {"type": "string", "minLength": 12},
                "p": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
            }
        ),
        40,
    ),
    "thirty fields": (record({f"f{i}": {"type": ["string", "null"]} for i in range(30)}), 290),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_closing_is_found_near_the_shortest(engine: Engine, name: str) -> None:
    schema, max_len = SCHEMAS[name]
    grammars = engine._assembly.grammars
    grammar = grammars.compile(Constraint(kind="json_schema", value=schema))
    closing = grammars.closings.search(grammar._matcher, 2048)
    assert closing is not None
    json.loads(engine._assembly.decode(closing))
    assert len(closing) <= max_len


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("slack", [0, 7])
def test_the_output_closes_within_a_tight_budget(engine: Engine, name: str, slack: int) -> None:
    schema, max_len = SCHEMAS[name]
    g = engine.generate(
        "Hello", json_schema=schema, max_tokens=max_len + slack, temperature=1.0, seed=slack
    )
    json.loads(g.text)
    assert g.finish_reason == "stop"


def test_a_detour_finds_the_short_branch(engine: Engine) -> None:
    schema, _ = SCHEMAS["one of two"]
    g = engine.generate("Hello", json_schema=schema, max_tokens=14)
    assert g.finish_reason == "length" or "b" in json.loads(g.text)
    grammars = engine._assembly.grammars
    grammar = grammars.compile(Constraint(kind="json_schema", value=schema))
    short = grammars.closings.search(grammar._matcher, 14)
    assert short is not None
    assert set(json.loads(engine._assembly.decode(short))) == {"b"}


def test_equal_constraints_are_compiled_once(engine: Engine) -> None:
    grammars = engine._assembly.grammars
    schema = record({"only_here": TEXT})
    before = grammars._compiled.cache_info().misses
    engine.generate(["Hello"] * 8, json_schema=schema, max_tokens=24)
    assert grammars._compiled.cache_info().misses == before + 1
