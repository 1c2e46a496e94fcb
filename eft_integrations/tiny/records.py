"""JSON that holds what a text says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from eft_integrations.tiny import names
from eft_integrations.tiny.asking import asked
from eft_integrations.tiny.chatml import Turn
from eft_integrations.tiny.definitions import TELLS_OF
from eft_integrations.tiny.draws import type_of
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.notes import Field, note, renamed
from eft_integrations.tiny.passages import Passage, passages
from eft_integrations.tiny.talk import system_turns
from eft_integrations.tiny.toolbox import NOUNS, PARAMETERS, spoken
from eft_integrations.tiny.wording import capitalised

Draw = Callable[[Random], Any]

# Key → how a text says it, and what it takes. {v} is the value.
_FIELDS: Mapping[str, tuple[tuple[str, ...], Draw]] = {
    "name": (("called {v}", "by the name of {v}", "named {v}"), names.person),
    "age": (("{v} years old", "aged {v}"), lambda rng: rng.randint(3, 99)),
    "city": (("from {v}", "who lives in {v}", "in {v}"), names.place),
    "job": (("working as a {v}", "a {v} by trade"), lambda rng: rng.choice(names.JOBS)),
    "price": (
        ("for {v} dollars", "at a price of {v}", "costing {v}"),
        lambda rng: rng.randint(1, 900),
    ),
    "color": (("in {v}", "of {v} colour"), lambda rng: rng.choice(names.COLOURS)),
    "item": (("with a {v}", "carrying a {v}", "asking for a {v}"), names.phrase),
    "count": (("{v} times", "in {v} pieces"), lambda rng: rng.randint(2, 60)),
    "code": (("under the code {v}", "with code {v}"), names.code),
    "day": (("on {v}", "since {v}"), lambda rng: rng.choice(names.DAYS)),
    "month": (("in the month of {v}", "by {v}"), lambda rng: rng.choice(names.MONTHS)),
    "pet": (("with a {v} as a pet", "keeping a {v}"), lambda rng: rng.choice(names.ANIMALS)),
    "friend": (("a friend of {v}", "who knows {v}"), names.person),
}
_HEADS = (
    "There is a person {t}.",
    "We have a customer {t}.",
    "Someone {t} wrote to us.",
    "The note speaks of a guest {t}.",
    "This is about a visitor {t}.",
)
_ASKS = (
    "Fill this schema from the text: {s}\nText: {t}",
    "{t}\n\nWrite this as JSON: {s}",
    "Extract {k} as JSON.\n\n{t}",
    "Text: {t}\nSchema: {s}\nJSON:",
    "Return a JSON object with the keys {k} for this text:\n{t}",
    "{t}\nGive me {k} of this text in JSON.",
)
_SYSTEMS = (
    "You write JSON. Schema: {s}",
    "Answer with a JSON object that follows this schema and nothing else: {s}",
)


# How a text says the value of a key that it was not written for.
_LOOSE = (
    "{k} {v}",
    "the {k} {v}",
    "the {k} is {v}",
    "{k}: {v}",
    "with {v} as {k}",
    "a {k} of {v}",
    "{v} for {k}",
    "its {k} being {v}",
    "{v} ({k})",
)
_LOOSE_HEADS = ("{t}.", "Received: {t}.", "Note: {t}", "On the card it says {t}.", "{t}, he wrote.")
_DRAWS: tuple[Draw, ...] = (
    names.phrase,
    names.person,
    names.place,
    names.code,
    names.foreign,
    names.invented_word,
    names.whole_number,
    names.whole_number,
)


def _loose(values: Mapping[str, Any], rng: Random) -> str:
    """A note in which each value stands beside its key, or in a sentence about it."""
    parts = [rng.choice(_LOOSE).format(k=spoken(key), v=item) for key, item in values.items()]
    joined = rng.choice((", ", "; ", " and ", ". ", ", ")).join(parts)
    return capitalised(rng.choice(_LOOSE_HEADS).format(t=joined))


def _of_sayings(rng: Random) -> tuple[dict[str, Any], str]:
    """Sentences, and a record of what they say of things: the keys are words of the text."""
    values: dict[str, Any] = {}
    said: list[str] = []
    for _ in range(rng.randint(1, 2)):
        who, thing, number = names.person(rng), rng.choice(names.THINGS), rng.randint(2, 400)
        role, count = rng.choice(_ROLES), rng.choice(_COUNTS)
        where = names.place(rng)
        forms = (
            (f"the {role} {who} came with {number} {count}", {role: who, count: number}),
            (f"{who}, our {role}, bought a {thing}", {role: who, "thing": thing}),
            (f"{number} {count} are for the {role}, {who}", {count: number, role: who}),
            (f"a {thing} was seen in {where} by {who}", {"thing": thing, "place": where}),
            (f"in {where} the {role} is {who}", {"place": where, role: who}),
            (f"for the {thing} they want {number} {count}", {"thing": thing, count: number}),
        )
        told, found = rng.choice(forms)
        if not values.keys() & found.keys():
            said.append(told)
            values |= found
    return values, " ".join(f"{capitalised(one)}." for one in said)


_ROLES = ("guest", "winner", "driver", "waiter", "member", "owner", "doctor", "captain", "singer")
_COUNTS = ("coins", "points", "bottles", "hours", "chairs", "people", "minutes", "pages", "boxes")


def _drawn(rng: Random) -> tuple[dict[str, Any], str]:
    """What a record holds, and the text that says it."""
    form = rng.random()
    if form < 0.45:
        keys = rng.sample(list(_FIELDS), rng.randint(2, 4))
        values = {key: _FIELDS[key][1](rng) for key in keys}
        return values, _said(values, rng)
    if form < 0.65:
        return _of_sayings(rng)
    words = [rng.choice((*PARAMETERS, *NOUNS)) for _ in range(rng.randint(2, 4))]
    values = {word: rng.choice(_DRAWS)(rng) for word in words}
    return values, _loose(values, rng)


def _said(values: Mapping[str, Any], rng: Random) -> str:
    parts = [rng.choice(_FIELDS[key][0]).format(v=item) for key, item in values.items()]
    rng.shuffle(parts)
    joined = ", ".join(parts[:-1]) + (" and " if parts[1:] else "") + parts[-1]
    return rng.choice(_HEADS).format(t=joined)


def schema_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object with these values."""
    kinds = {
        key: {"type": "integer" if isinstance(item, int) else "string"}
        for key, item in values.items()
    }
    return {"type": "object", "properties": kinds, "required": list(values)}


def extraction(turns: Sequence[Turn], values: Mapping[str, Any], *tags: str) -> Exercise:
    """The exercise whose answer is this object."""
    return Exercise(
        kind="json",
        turns=tuple(turns),
        helpful=json.dumps(values, ensure_ascii=False),
        expect={"json": dict(values)},
        tags=tags,
    )


def record(rng: Random) -> Exercise:
    """A sentence about someone, and the schema to fill from it."""
    values, text = _drawn(rng)
    if rng.random() < 0.3:  # a value that nobody asks for
        text += f" It was written down by {names.person(rng)}."
    return _filled(values, text, rng)


def varied(rng: Random) -> Exercise:
    """A text of any kind, asked in any way: what training has beside :func:`record`."""
    form = rng.random()
    if form < 0.45:
        values, text = _verbatim(rng)
        if form < 0.25:
            return _filled(values, text, rng)
        fields = [Field(key, _json_type(item), item) for key, item in values.items()]
        return _record(fields, text, rng)
    return _record(*note(rng), rng)


def _verbatim(rng: Random) -> tuple[dict[str, Any], str]:
    """A record and its text, with no value that the beginning of a sentence changed."""
    while True:
        values, text = _drawn(rng)
        if all(str(item) in text for item in values.values()):
            if rng.random() < 0.3:  # a value that nobody asks for
                text += f" It was written down by {names.person(rng)}."
            return values, text


def _json_type(item: Any) -> str:
    return "integer" if isinstance(item, int) else "string"


def noted(rng: Random) -> Exercise:
    """A text written by hand, and fields for some of what it says, or for all."""
    passage = rng.choice(passages())
    values = passage.values(rng)
    num = rng.choice((1, 2, 2, 3, 3, 4, len(values)))
    keys = rng.sample(list(values), min(num, len(values)))
    fields = {key: _slot(passage, key, values, rng) for key in keys}
    made = renamed(fields, passage.slots, rng)
    if rng.random() < 0.15:
        made += _all_of_a_kind(passage, values, rng)
    return _record(made, passage.text.format(**values), rng)


# Kinds of slots that a field may list together: its names, and descriptions.
_TOGETHER = {
    "person": (("people", "persons", "names", "all_names"), "everyone named in the text"),
    "place": (("places", "locations", "towns", "cities"), "all places named in the text"),
    "price": (("prices", "amounts"), "all amounts of money in the text"),
}


def _all_of_a_kind(passage: Passage, values: Mapping[str, Any], rng: Random) -> list[Field]:
    """A field with all persons of a text, or all places, as they come; none if there is one."""
    kind = rng.choice(list(_TOGETHER))
    slots = [key for key, draw in passage.slots.items() if draw == kind]
    slots.sort(key=lambda key: passage.text.index(f"{{{key}}}"))
    keys, told = _TOGETHER[kind]
    name = rng.choice(keys)
    if len(slots) < 2 or name in passage.slots:
        return []
    return [Field(name, "array", [values[key] for key in slots], tells=(told,))]


def _slot(passage: Passage, key: str, values: Mapping[str, Any], rng: Random) -> Field:
    """A slot as a field: a question that it answers may describe it."""
    asks = tuple(ask.format(**values) for ask, slot in passage.asks if slot == key)
    draw = passage.slots[key]
    is_alone = list(passage.slots.values()).count(draw) == 1
    by_kind = TELLS_OF.get(draw, ()) if is_alone else ()
    tells = (f"the {spoken(key)}", *rng.sample(by_kind, min(1, len(by_kind))))
    return Field(key, type_of(draw), values[key], tells=tells, asks=asks)


def _nested(fields: list[Field], rng: Random) -> list[Field]:
    """Seldom some of the fields as an object of their own."""
    if len(fields) < 3 or rng.random() < 0.93:
        return fields
    name = rng.choice(("details", "data", "info", "record", "content"))
    kept, inner = fields[:-2], tuple(fields[-2:])
    held = {field.name: field.value for field in inner}
    return fields if name in held else [*kept, Field(name, "object", held, inner=inner)]


def _record(fields: list[Field], text: str, rng: Random) -> Exercise:
    fields = _nested(fields, rng)
    return extraction(asked(fields, text, rng), {field.name: field.value for field in fields})


def _filled(values: Mapping[str, Any], text: str, rng: Random) -> Exercise:
    schema = json.dumps(schema_of(values) if rng.random() < 0.6 else dict.fromkeys(values, "…"))
    listed = ", ".join(values)
    if rng.random() < 0.25:
        turns = [Turn("system", rng.choice(_SYSTEMS).format(s=schema)), Turn("user", text)]
    else:
        asked = rng.choice(_ASKS).format(s=schema, t=text, k=listed)
        turns = [*system_turns(rng, 0.1), Turn("user", asked)]
    return extraction(turns, values)


def ledger(rng: Random) -> str:
    """Rows of data as files hold them, and the same rows in other words."""
    keys = rng.sample(list(_FIELDS), rng.randint(2, 4))
    rows = [{key: _FIELDS[key][1](rng) for key in keys} for _ in range(rng.randint(1, 4))]
    as_json = [json.dumps(row, ensure_ascii=False) for row in rows]
    as_text = [_said(row, rng) for row in rows]
    table = [", ".join(keys), *(", ".join(str(v) for v in row.values()) for row in rows)]
    forms = [as_json, as_text, table]
    rng.shuffle(forms)
    return "\n".join(line for form in forms[: rng.choice((2, 2, 3))] for line in form)
