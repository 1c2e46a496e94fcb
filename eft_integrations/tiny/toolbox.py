"""Tools that never existed: names, schemas and values drawn anew for every exercise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from eft_integrations.tiny import names
from eft_integrations.tiny.chatml import Call
from eft_integrations.tiny.wording import capitalised

VERBS = (
    "get find show list search check send create add remove delete update open close start stop "
    "play read write book order buy sell rent move turn set count measure compute convert "
    "compare translate print save load copy share draw paint clean repair build plan call "
    "invite pay cancel confirm track sort merge split lock unlock watch visit weigh mix cook "
    "plant feed"
).split()
NOUNS = (
    "price order ticket room table file note message report song film photo map route train "
    "flight hotel parcel invoice account balance contact task reminder alarm light door window "
    "garden pump sensor recipe meal drink book page word sentence number list score player team "
    "game lesson course exam doctor visit bill stock share loan house shelf box robot drone car "
    "bus boat signal value total average distance speed weight height area user customer guest"
).split()
PARAMETERS = (
    "name title text query topic city place country street address user owner customer author "
    "recipient sender message subject note label color size date day time start end hours "
    "minutes amount count number quantity limit price budget weight height width depth distance "
    "speed level rate score age year month input value a b x y n id code key token path file "
    "folder language unit mode kind type category tag item product brand model color room floor "
    "seat"
).split()
KINDS = ("string", "integer", "number", "boolean")
_UNITS = (
    ("celsius", "fahrenheit"),
    ("small", "medium", "large"),
    ("low", "high"),
    ("asc", "desc"),
    ("km", "miles"),
)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One argument of a tool: how it is written, how it is spoken of, and what it takes."""

    name: str
    kind: str
    choices: tuple[str, ...] = ()

    @property
    def spoken(self) -> str:
        """As people say it: ``user_id`` is "user id"."""
        return spoken(self.name)


@dataclass(frozen=True, kw_only=True)
class Toy:
    """A tool: its schema, and the words for what it does."""

    name: str
    action: str
    parameters: tuple[Parameter, ...]
    schema: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters, in the order in which they were drawn."""
        return tuple(p.name for p in self.parameters)


@dataclass(frozen=True)
class Offer:
    """A tool that is offered: its schema, and requests for it with the calls that serve them."""

    schema: Mapping[str, Any]
    ask: Callable[[Random], tuple[str, Call]]


def spoken(name: str) -> str:
    """An identifier in words: ``findLostKey`` and ``find_lost_key`` are "find lost key"."""
    split = "".join(f" {c.lower()}" if c.isupper() else c for c in name)
    return " ".join(split.replace("_", " ").replace("-", " ").split())


def identifier(words: list[str], rng: Random) -> str:
    """Words as programs write them together."""
    form = rng.random()
    if form < 0.8:
        return "_".join(words)
    if form < 0.93:
        return words[0] + "".join(word.capitalize() for word in words[1:])
    return "-".join(words) if form < 0.95 else "".join(words)


def _action(rng: Random) -> list[str]:
    verb = rng.choice(VERBS) if rng.random() < 0.8 else names.invented_word(rng, 1, 2)
    noun = rng.choice(NOUNS) if rng.random() < 0.65 else names.invented_word(rng, 1, 2)
    middle = [rng.choice(names.ADJECTIVES)] if rng.random() < 0.2 else []
    return [verb] if rng.random() < 0.05 else [verb, *middle, noun]


def _parameter(rng: Random) -> Parameter:
    if rng.random() < 0.8:
        name = rng.choice(PARAMETERS)
        if rng.random() < 0.15:
            name = f"{rng.choice(NOUNS)}_{name}"
    else:
        name = names.invented_word(rng, 1, 2)
    kind = rng.choices(KINDS, (0.56, 0.3, 0.08, 0.06))[0]
    choices = rng.choice(_UNITS) if kind == "string" and rng.random() < 0.08 else ()
    return Parameter(name=name, kind=kind, choices=choices)


def _property(parameter: Parameter, rng: Random) -> dict[str, Any]:
    told: dict[str, Any] = {"type": parameter.kind}
    if parameter.choices:
        told["enum"] = list(parameter.choices)
    if rng.random() < 0.4:
        told["description"] = rng.choice(
            (f"The {parameter.spoken}.", f"the {parameter.spoken} to use", f"{parameter.spoken}")
        )
    if rng.random() < 0.2:
        told = {"title": parameter.spoken.title(), **told}
    return told


def toy(rng: Random) -> Toy:
    """A tool with one to four parameters, seldom none."""
    words = _action(rng)
    action = " ".join(words[:1] + ([rng.choice(("the", "a"))] if words[1:] else []) + words[1:])
    num = rng.choices((0, 1, 2, 3, 4), (0.05, 0.4, 0.3, 0.15, 0.1))[0]
    found = {p.name: p for p in (_parameter(rng) for _ in range(num))}
    parameters = tuple(found.values())
    body: dict[str, Any] = {
        "type": "object",
        "properties": {p.name: _property(p, rng) for p in parameters},
        "required": [p.name for p in parameters],
    }
    if rng.random() < 0.5:
        body = {key: body[key] for key in ("properties", "required", "type")}
    name = identifier(words, rng)
    schema = {
        "type": "function",
        "function": {
            "name": name,
            "description": rng.choice((f"{capitalised(action)}.", capitalised(action))),
            "parameters": body,
        },
    }
    return Toy(name=name, action=action, parameters=parameters, schema=schema)


def value(parameter: Parameter, rng: Random) -> Any:
    """Something that the parameter takes."""
    if parameter.choices:
        return rng.choice(parameter.choices)
    if parameter.kind == "integer":
        return names.whole_number(rng)
    if parameter.kind == "number":
        return round(rng.uniform(0, rng.choice((1, 10, 100))), rng.choice((1, 1, 2)))
    if parameter.kind == "boolean":
        return rng.random() < 0.5
    draw = rng.choices(
        (names.phrase, names.person, names.place, names.code, names.foreign, _word),
        (0.25, 0.2, 0.2, 0.1, 0.1, 0.15),
    )[0]
    return draw(rng)


def _word(rng: Random) -> str:
    return names.invented_word(rng, 1, 2)
