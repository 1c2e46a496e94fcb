"""Definitions of tools as many applications write them: descriptions, titles, and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from eft_integrations.tiny.toolbox import Parameter, Toy, spoken
from eft_integrations.tiny.wording import capitalised, lowered

# What a parameter holds, by its name alone: {p}, with its article {P} at the beginning.
_TELLS = (
    "The {p}.",
    "the {p} to use",
    "{p}",
    "The {p} in question.",
    "Which {p} to take.",
    "The {p} that is wanted.",
    "Value of the {p}.",
    "{P}",
    "{P} as given by the user.",
    "Required {p}.",
    "The user's {p}.",
    "Give the {p} here.",
    "Sets the {p}.",
    "{P} for this request.",
)
# What it holds, by the kind of its values.
TELLS_OF: Mapping[str, tuple[str, ...]] = {
    "person": ("Who it is for.", "Name of the person.", "The person meant.", "Somebody's name."),
    "place": ("Name of the place.", "A town.", "Where it is.", "The town or city."),
    "street": ("Street and number.", "The full address.", "Where to go."),
    "clock": ("Time of day, e.g. 7:30.", "At what time.", "The hour.", "Time as the user says it."),
    "date": ("On which date.", "The date as it is written.", "Day and month, or the full date."),
    "day": ("Day of the week.", "On which day.", "The weekday."),
    "month": ("Which month.", "Name of the month."),
    "year": ("The year, e.g. 1990.", "In which year.", "Year in four digits."),
    "small": ("How many.", "A whole number.", "The number of them.", "A count."),
    "number": ("How many or how much.", "A number.", "The figure.", "Any whole number."),
    "percent": ("From 0 to 100.", "Percentage.", "Share in percent."),
    "phrase": ("A few words.", "What it is about.", "The thing meant.", "Free text."),
    "word": ("A single word.", "The word as it is written."),
    "foreign": ("A word in its own script.", "The word as it is written."),
    "code": ("The identifier.", "Code as it was given.", "Reference of the thing."),
    "food": ("Something to eat.", "Name of the food."),
    "animal": ("Kind of animal.", "Which animal."),
    "colour": ("Name of the colour.", "Which colour it has."),
    "thing": ("Name of the thing.", "Which object."),
    "job": ("Name of the trade.", "What the person does for a living."),
    "unit": ("Unit of measurement.", "In which unit."),
    "size": ("How large.", "One of the sizes."),
    "tongue": ("Name of the language.", "In which language.", "A language, e.g. Finnish."),
    "title": ("What it is called.", "Title of the work.", "The name as it is written."),
    "file": ("Name of the file.", "Which file, with its ending.", "The file."),
    "email": ("Email address.", "Where to write to."),
    "price": ("Amount with its currency.", "How much money.", "Sum to pay."),
    "team": ("Name of the team.", "Which team."),
    "integer": ("A whole number.", "Integer.", "How many."),
    "boolean": ("Whether to do so.", "true or false", "Switches it on or off."),
}
# What a tool does: {d} is the action in lower case without a full stop.
_DOES = (
    "{D}.",
    "{D}",
    "{d}",
    "Use this to {d}.",
    "A function to {d}.",
    "Lets the assistant {d}.",
    "Can {d}.",
    "Useful if the user wants to {d}.",
    "Call this to {d}.",
    "{D}. Returns the result as text.",
    "{D} and report the outcome.",
    "Tool that can {d}.",
    "This will {d} for the user.",
    "Helps to {d}.",
)
# Arguments that an application may take and that no request speaks of: kind and default.
_EXTRAS: Mapping[str, tuple[str, Any]] = {
    "verbose": ("boolean", False),
    "dry_run": ("boolean", False),
    "silent": ("boolean", True),
    "force": ("boolean", None),
    "max_results": ("integer", 10),
    "timeout_seconds": ("integer", 30),
    "retries": ("integer", 3),
    "page_size": ("integer", None),
    "encoding": ("string", "utf-8"),
    "callback": ("string", None),
    "session": ("string", None),
    "comment": ("string", ""),
    "sort_order": ("string", "asc"),
    "output_format": ("string", "json"),
}


def does(action: str, rng: Random) -> str:
    """What a tool does, as its definition says it."""
    bare = lowered(action.removesuffix("."))
    return rng.choice(_DOES).format(d=bare, D=capitalised(bare))


def tells(name: str, kind: str, rng: Random) -> str:
    """What a parameter holds: by its name, by the kind of its values, or both."""
    by_name = rng.choice(_TELLS).format(p=spoken(name), P=capitalised(spoken(name)))
    by_kind = TELLS_OF.get(kind.partition(":")[0])
    form = rng.random()
    if not by_kind or form < 0.4:
        return by_name
    return (
        rng.choice(by_kind)
        if form < 0.85
        else f"{capitalised(by_name).removesuffix('.')}. {rng.choice(by_kind)}"
    )


def _property(body: Mapping[str, Any], name: str, kind: str, told: float, rng: Random) -> Any:
    parts = {"type": "string", **body}
    if rng.random() < told:
        parts["description"] = tells(name, kind, rng)
    if rng.random() < 0.15:
        parts["title"] = spoken(name).title()
    keys = list(parts)
    if rng.random() < 0.4:
        rng.shuffle(keys)
    return {key: parts[key] for key in keys}


def _with_extras(properties: dict[str, Any], rng: Random) -> dict[str, Any]:
    """The properties, seldom with one or two optional ones among them."""
    if rng.random() < 0.75:
        return properties
    found = dict(properties)
    for name in rng.sample(list(_EXTRAS), rng.choice((1, 1, 2))):
        kind, default = _EXTRAS[name]
        body: dict[str, Any] = {"type": kind}
        if default is not None and rng.random() < 0.7:
            body["default"] = default
        found.setdefault(name, _property(body, name, kind, 0.5, rng))
    keys = list(found)
    if rng.random() < 0.4:
        rng.shuffle(keys)
    return {key: found[key] for key in keys}


def definition(
    name: str,
    action: str,
    bodies: Mapping[str, tuple[str, Mapping[str, Any]]],
    required: Sequence[str],
    rng: Random,
) -> dict[str, Any]:
    """A tool's schema.

    ``bodies`` are the parameters in their order: the kind that describes them, and what their
    schema says at least.
    """
    told = rng.choice((0.0, 0.3, 0.7, 1.0, 1.0))
    properties = {
        key: _property(body, key, kind, told, rng) for key, (kind, body) in bodies.items()
    }
    parts: dict[str, Any] = {"type": "object", "properties": _with_extras(properties, rng)}
    if required or rng.random() < 0.6:
        parts["required"] = list(required)
    if rng.random() < 0.15:
        parts["additionalProperties"] = False
    if rng.random() < 0.1:
        parts["title"] = rng.choice((f"{name}_args", spoken(name).title(), "Parameters"))
    keys = list(parts)
    if rng.random() < 0.5:
        rng.shuffle(keys)
    body = {key: parts[key] for key in keys}
    function: dict[str, Any] = {"name": name, "description": does(action, rng), "parameters": body}
    if rng.random() < 0.06:
        function["strict"] = True
    if rng.random() < 0.15:
        function = {key: function[key] for key in ("description", "name", *list(function)[2:])}
    return {"type": "function", "function": function}


def optional_of(tool: Toy, rng: Random) -> frozenset[str]:
    """The names of a toy's parameters that a call may leave out."""
    if len(tool.parameters) < 2 or rng.random() < 0.65:
        return frozenset()
    names = [p.name for p in tool.parameters]
    return frozenset(rng.sample(names, rng.randint(1, len(names) - 1)))


def defined(tool: Toy, optional: frozenset[str], rng: Random) -> dict[str, Any]:
    """A toy's schema in any layout; parameters in any order."""
    order = list(tool.parameters)
    if rng.random() < 0.3:
        rng.shuffle(order)
    bodies = {p.name: (p.kind, _body(p, p.name in optional, rng)) for p in order}
    required = [p.name for p in order if p.name not in optional]
    return definition(tool.name, tool.action, bodies, required, rng)


def _body(parameter: Parameter, is_optional: bool, rng: Random) -> dict[str, Any]:
    body: dict[str, Any] = {"type": parameter.kind}
    if parameter.choices:
        body["enum"] = list(parameter.choices)
    if is_optional and rng.random() < 0.3:
        defaults = {"integer": 1, "number": 1.0, "boolean": False}
        usual = parameter.choices[0] if parameter.choices else None
        body["default"] = usual or defaults.get(parameter.kind, "")
    return body
