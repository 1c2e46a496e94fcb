"""Everyday tools, and requests for them in the words of people who never saw the schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from eft_integrations.tiny.chatml import Call
from eft_integrations.tiny.definitions import definition
from eft_integrations.tiny.draws import MATERIAL, draw_of, type_of
from eft_integrations.tiny.toolbox import Offer, identifier
from eft_integrations.tiny.wishes import with_aside

# Other names that an application may give to an argument with such values.
_RENAMED: Mapping[str, tuple[str, ...]] = {
    "person": ("name", "person", "full_name", "contact", "recipient", "who"),
    "place": ("place", "location", "city", "town", "where", "destination"),
    "phrase": ("text", "query", "subject", "content", "topic", "what", "item"),
    "small": ("number", "amount", "n", "count", "quantity", "value"),
    "number": ("number", "amount", "n", "count", "value", "total"),
    "clock": ("time", "at", "hour", "when"),
    "date": ("date", "day", "when"),
    "code": ("code", "id", "key", "reference"),
    "food": ("food", "ingredient", "dish"),
    "colour": ("color", "colour"),
    "tongue": ("language", "tongue", "lang"),
}
_LINKS = {"a", "an", "the", "of", "to", "for", "is", "it", "some", "when", "where", "what", "in"}


def _renamed(key: str, draw: str, rng: Random) -> str:
    return rng.choice(_RENAMED.get(draw, (key,))) if rng.random() < 0.25 else key


def _body(draw: str, rng: Random) -> dict[str, Any]:
    """What a schema says of an argument at least: its type, and sometimes its choices."""
    body: dict[str, Any] = {"type": type_of(draw)}
    kind, _, words = draw.partition(":")
    if kind == "of" and rng.random() < 0.4:
        body["enum"] = words.split("/")
    return body


def _short(does: str, rng: Random) -> str:
    """A name made of the words that say what a tool does."""
    words = [w for w in does.lower().removesuffix(".").split() if w.isalpha() and w not in _LINKS]
    return identifier(words[: rng.choice((2, 2, 3))], rng)


@dataclass(frozen=True)
class Errand:
    """A tool, its arguments with what draws them, and requests in which their values stand."""

    name: str
    does: str
    takes: Mapping[str, str]
    requests: Sequence[str]

    def offered(self, rng: Random) -> Offer:
        """The errand as one application may offer it."""
        draws = self.takes
        keys = {key: _renamed(key, draw, rng) for key, draw in draws.items()}
        if len({*keys.values()}) < len(draws) or len({*draws.values()}) < len(draws):
            keys = {key: key for key in draws}
        name = self.name if rng.random() < 0.5 else _short(self.does, rng)
        order = list(draws)
        if rng.random() < 0.3:
            rng.shuffle(order)
        bodies = {keys[key]: (draws[key], _body(draws[key], rng)) for key in order}
        schema = definition(name, self.does, bodies, list(bodies), rng)

        def ask(rng: Random) -> tuple[str, Call]:
            values = {key: draw_of(draw)(rng) for key, draw in draws.items()}
            arguments = {keys[key]: values[key] for key in order}
            asked = rng.choice(self.requests).format(**values)
            return with_aside(asked, rng), Call(name, arguments)

        return Offer(schema, ask)


@cache
def errands() -> tuple[Errand, ...]:
    """All errands of the material."""
    lines = (MATERIAL / "errands.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(Errand(**json.loads(line)) for line in lines)
