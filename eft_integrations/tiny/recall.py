"""Small tables, and question after question about them: looking up before reading sentences.

A reader has to carry a question to where the answer begins, find the place that it speaks of, and
go on from there. In long texts this is learnt late or never; in tables of a few words it is learnt
soon, and serves for sentences afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from eft_integrations.tiny import names
from eft_integrations.tiny.chatml import Turn, render
from eft_integrations.tiny.toolbox import NOUNS, PARAMETERS

Draw = Callable[[Random], str]

_THINGS = (*names.THINGS, *names.ANIMALS, *names.FOODS, *NOUNS)
_VALUES: tuple[Draw, ...] = (
    lambda rng: rng.choice(names.COLOURS),
    lambda rng: rng.choice(names.ANIMALS),
    lambda rng: str(names.whole_number(rng)),
    names.invented_name,
    names.person,
    names.place,
    names.code,
)
# {k} is what is asked, {v} the value.
_PAIRS = ("{k}: {v}", "{k} = {v}", "{k} is {v}", "{k} {v}", "the {k} is {v}", "{k} has {v}")
_PARTS = ("the {a} of the {t} is {v}", "{t} {a}: {v}", "the {t} has the {a} {v}", "{a} of {t}: {v}")
_QUESTIONS = (
    "{k}?",
    "What is {k}?",
    "and {k}?",
    "{k}",
    "Question: {k}?",
    "Tell me {k}.",
    "{k} is?",
)
_OF = ("{a} of the {t}", "the {a} of the {t}", "the {t}'s {a}", "{t} {a}")
_ANSWERS = ("{q} {v}", "{q}\n{v}", "{q} Answer: {v}", "{q}\nAnswer: {v}", "Q: {q}\nA: {v}")


@dataclass(frozen=True)
class _Line:
    """One line of a table, and what it is asked by."""

    told: str
    key: str
    value: str


def _words(rng: Random) -> list[str]:
    """Different words of a table: things, people, or what nobody has heard of."""
    draw: Draw = rng.choice(
        (
            lambda r: r.choice(_THINGS),
            lambda r: r.choice(_THINGS),
            names.person,
            names.invented_word,
        )
    )
    return list(dict.fromkeys(draw(rng) for _ in range(rng.randint(2, 7))))


def _table(rng: Random) -> list[_Line]:
    """Lines with one key each, or with a thing and one of its parts."""
    keys, draw = _words(rng), rng.choice(_VALUES)
    if rng.random() < 0.5:
        form = rng.choice(_PAIRS)
        values = [draw(rng) for _ in keys]
        return [_Line(form.format(k=k, v=v), k, v) for k, v in zip(keys, values, strict=True)]
    parts = list(dict.fromkeys(rng.choice(PARAMETERS) for _ in range(rng.randint(1, 3))))
    form, of = rng.choice(_PARTS), rng.choice(_OF)
    lines = []
    for thing in keys[:4]:
        for part in parts:
            value = rng.choice(_VALUES)(rng)
            told = form.format(a=part, t=thing, v=value)
            lines.append(_Line(told, of.format(a=part, t=thing), value))
    return lines


def recall(rng: Random) -> str:
    """A table, then its lines asked in another order: as text or as a conversation."""
    lines = _table(rng)
    shown = rng.sample(lines, len(lines))
    context = rng.choice((". ", "\n", ", ", "; ")).join(line.told for line in shown)
    form = rng.choice(_QUESTIONS)
    asked = [
        (form.format(k=line.key), line.value)
        for line in rng.sample(lines, rng.randint(1, len(lines)))
    ]
    if rng.random() < 0.2:
        layout = rng.choice(_ANSWERS)
        told = [layout.format(q=question, v=value) for question, value in asked]
        return "\n".join([context, *told])
    turns = []
    for number, (question, value) in enumerate(asked):
        said = question if number else f"{context}\n\n{question}"
        turns += [Turn("user", said), Turn("assistant", value)]
    return render(turns)
