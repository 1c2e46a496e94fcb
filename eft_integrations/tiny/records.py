"""JSON that holds what a text says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from eft_integrations.tiny import names
from eft_integrations.tiny.chatml import Turn
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.talk import system_turns

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
    keys = rng.sample(list(_FIELDS), rng.randint(2, 4))
    values = {key: _FIELDS[key][1](rng) for key in keys}
    text = _said(values, rng)
    if rng.random() < 0.3:  # a value that nobody asks for
        text += f" It was written down by {names.person(rng)}."
    schema = json.dumps(schema_of(values) if rng.random() < 0.6 else dict.fromkeys(values, "…"))
    listed = ", ".join(keys)
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
