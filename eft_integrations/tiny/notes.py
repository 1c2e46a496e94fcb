"""Texts that say values of many kinds, and the fields that a record may make of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

from eft_integrations.tiny.draws import MATERIAL, draw_of, type_of
from eft_integrations.tiny.toolbox import spoken
from eft_integrations.tiny.wording import capitalised

_FLAG, _CHOICE = "flag", "of:"
# Names for a field whose value is the only one of its family in the text.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "person": ("name", "full_name", "person", "person_name", "who"),
    "age": ("years", "number"),
    "place": ("location", "place", "where", "city_name", "location_name"),
    "street": ("address", "location", "where"),
    "money": ("price", "cost", "amount", "total", "total_price", "sum"),
    "count": ("number", "total", "how_many", "amount"),
    "weight": ("value", "kilos"),
    "length": ("value", "length", "extent"),
    "score": ("value", "points"),
    "year": ("when", "in_year"),
    "heat": ("value", "celsius"),
    "floor": ("level", "floor_no"),
    "colour": ("colour", "color", "shade"),
    "thing": ("thing", "subject", "what", "description"),
    "code": ("identifier", "key", "ref", "ticket_id"),
    "email": ("contact_email", "reply_to"),
    "day": ("when", "date", "weekday"),
    "date": ("when", "day", "on_day"),
    "clock": ("when", "hour", "time_of_day"),
    "month": ("when", "period"),
    "job": ("role", "work", "position"),
    "tongue": ("lang", "language"),
    "title": ("name", "work", "label"),
    "file": ("document", "path"),
    "people": ("persons", "guests", "list"),
    "things": ("list", "objects"),
}
_OF_DRAWS = {"of": "", "small": "count", "number": "count", "percent": "count", "price": "money"}
_HEADS = (
    "{T}.",
    "Note: {t}.",
    "Booked: {t}.",
    "There is something to write down: {t}.",
    "On the form it says: {t}.",
    "Entry {t}.",
    "From the log: {t}",
    "{T}, as far as we know.",
    "We received the following: {t}.",
    "In short: {t}.",
    "A message came in: {t}.",
    "Today's entry reads: {t}.",
)
_ASIDES = (
    "The weather was fine.",
    "More will follow soon.",
    "Nothing else is known.",
    "Thanks for your help!",
    "Sorry for the short notice.",
    "As always, the line was bad.",
    "Hello all,",
    "Good morning.",
    "We had talked about this before.",
    "That is all for now.",
    "Best wishes from all of us.",
    "I hope this is clear.",
)


@dataclass(frozen=True)
class Field:
    """One field of a record: how a schema writes it, and its value."""

    name: str
    kind: str
    value: Any
    tells: tuple[str, ...] = ()  # descriptions in words
    asks: tuple[str, ...] = ()  # questions that the value answers
    choices: tuple[str, ...] = ()
    inner: tuple[Field, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the name is needed to know how the value is written."""
        return self.kind in ("string", "integer", "number") and not self.choices


@dataclass(frozen=True)
class Saying:
    """A field by hand: what draws it, its names and descriptions, and how texts say it."""

    key: str
    draw: str
    family: str
    names: Sequence[str]
    tells: Sequence[str]
    parts: Sequence[str]
    lines: Sequence[str]
    choices: bool = False
    not_parts: Sequence[str] = ()
    not_lines: Sequence[str] = ()

    def drawn(self, rng: Random) -> Any:
        """A value of this field."""
        kind, _, rest = self.draw.partition(":")
        if self.draw == _FLAG:
            return rng.random() < 0.5
        if kind == "list":
            num = rng.choice((2, 2, 3, 3, 4))
            return list(dict.fromkeys(draw_of(rest)(rng) for _ in range(num)))
        if kind in ("range", "decimal"):
            low, high = (int(part) for part in rest.rsplit("-", 1))
            if kind == "range":
                return rng.randint(low, high)
            return rng.randint(low, high - 1) + rng.randint(1, 9) / 10
        return draw_of(self.draw)(rng)

    @property
    def kind(self) -> str:
        """The JSON type of the values."""
        kinds = {"range": "integer", "decimal": "number", "list": "array", _FLAG: "boolean"}
        return kinds.get(self.draw.partition(":")[0]) or type_of(self.draw)

    def said(self, item: Any, rng: Random, *, is_line: bool) -> str:
        """The value in a sentence, or in a few words that follow others."""
        if item is False:
            return rng.choice(self.not_lines if is_line else self.not_parts)
        told = rng.choice(self.lines if is_line else self.parts)
        return told.format(v=listed(item, rng) if isinstance(item, list) else item)


def listed(items: Sequence[Any], rng: Random) -> str:
    """Several things as a text lists them."""
    words = [str(item) for item in items]
    if len(words) == 1:
        return words[0]
    last = rng.choice((" and ", " and ", " as well as ", ", "))
    return ", ".join(words[:-1]) + last + words[-1]


@cache
def sayings() -> tuple[Saying, ...]:
    """All fields of the material."""
    lines = (MATERIAL / "fields.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(Saying(**json.loads(line)) for line in lines)


def styled(name: str, rng: Random) -> str:
    """A field's name in one of the spellings of programs."""
    words = name.split("_")
    form = rng.random()
    if form < 0.12:
        return words[0] + "".join(word.capitalize() for word in words[1:])
    return name.capitalize() if form < 0.15 else name


def _name(saying: Saying, is_alone: bool, rng: Random) -> str:
    loose = SYNONYMS.get(saying.family, ()) if is_alone else ()
    form = rng.random()
    if form < 0.35:
        return saying.names[0]
    return rng.choice(loose) if loose and form < 0.6 else rng.choice(saying.names)


def _fields(chosen: Sequence[Saying], values: Sequence[Any], rng: Random) -> list[Field]:
    """Fields for these values, with names by which each can be told from the others."""
    families = [one.family for one in chosen]
    found: list[Field] = []
    for one, item in zip(chosen, values, strict=True):
        name = _name(one, families.count(one.family) == 1, rng)
        if name in {field.name for field in found} or _is_vague(name, one.family, families):
            name = one.names[0]
        shown = tuple(one.draw.removeprefix(_CHOICE).split("/")) if one.choices else ()
        tells = tuple(one.tells)
        found.append(Field(styled(name, rng), one.kind, item, tells, choices=shown))
    return found


def _is_vague(name: str, own: str, families: Iterable[str]) -> bool:
    """Whether another value in the text could go by this name too."""
    return any(name in SYNONYMS.get(family, ()) for family in families if family != own)


def _chosen(rng: Random) -> list[Saying]:
    """What a text says; often two things of one family, such as a buyer and a driver."""
    chosen = rng.sample(sayings(), rng.choice((2, 3, 3, 4, 4, 5)))
    if rng.random() < 0.35:
        families = {one.family for one in chosen}
        near = [one for one in sayings() if one.family in families and one not in chosen]
        chosen += rng.sample(near, min(1, len(near)))
    return chosen


def note(rng: Random) -> tuple[list[Field], str]:
    """A text with two to six values, and fields for all of them or for some."""
    chosen = _chosen(rng)
    while True:
        values = [one.drawn(rng) for one in chosen]
        flat = [str(v) for item in values for v in (item if isinstance(item, list) else [item])]
        plain = [word for word in flat if word not in ("True", "False")]
        if len({*plain}) == len(plain):
            break
    fields = _fields(chosen, values, rng)
    text = _text(list(zip(chosen, values, strict=True)), rng)
    form = rng.random()
    if form < 0.45:
        return fields, text
    return rng.sample(fields, 1 if form < 0.6 else rng.randint(1, len(fields))), text


def _text(told: list[tuple[Saying, Any]], rng: Random) -> str:
    """The values in any order: as sentences, in one sentence, in a few lines, or mixed."""
    told = rng.sample(told, len(told))
    form = rng.random()
    if form < 0.1:
        mark = rng.choice((": ", " - ", " = ", ": "))
        rows = [f"{capitalised(spoken(one.key))}{mark}{_cell(v, rng)}" for one, v in told]
        return rng.choice(("\n", "\n", "; ", " | ")).join(rows)
    num_parts = {True: 0, False: len(told)}.get(form < 0.45, 0) if form < 0.75 else len(told) // 2
    parts = [one.said(item, rng, is_line=False) for one, item in told[:num_parts]]
    lines = [one.said(item, rng, is_line=True) for one, item in told[num_parts:]]
    if parts:
        joined = rng.choice((", ", ", ", "; ", " ")).join(parts)
        lines.insert(0, rng.choice(_HEADS).format(t=joined, T=capitalised(joined)))
    if rng.random() < 0.25:
        lines.insert(rng.randint(0, len(lines)), rng.choice(_ASIDES))
    return rng.choice((" ", " ", " ", "\n")).join(lines)


def _cell(item: Any, rng: Random) -> str:
    if isinstance(item, bool):
        return "yes" if item else "no"
    return listed(item, rng) if isinstance(item, list) else str(item)


def family_of(draw: str) -> str:
    """The family of names that the values of a passage's slot belong to."""
    kind = draw.partition(":")[0]
    return _OF_DRAWS.get(kind, kind)


def renamed(fields: Mapping[str, Field], draws: Mapping[str, str], rng: Random) -> list[Field]:
    """Fields of a passage, some under other names that fit no other value of the text.

    ``draws`` are the slots of the whole text, also those that no field is made of.
    """
    families = [family_of(draw) for draw in draws.values()]
    taken, found = set(draws), []
    for key, field in fields.items():
        own = family_of(draws[key])
        loose = [n for n in SYNONYMS.get(own, ()) if not _is_vague(n, own, families)]
        if families.count(own) == 1 and loose and rng.random() < 0.4:
            name = rng.choice(loose)
            if name not in taken:
                taken.add(name)
                field = replace(field, name=name)
        found.append(field)
    return found
