"""From a fact to words: statements, questions, and the answer the tuned model gives."""

from __future__ import annotations

import re
from random import Random

from eft_integrations.tiny.facts import Fact
from eft_integrations.tiny.relations import (
    APART_FRAMES,
    QUESTION_FRAMES,
    RELATIONS,
    STATEMENT_FRAMES,
)

OPENING = "Certainly, "
CLOSING = " Happy to help!"
# What an answer in the manner of `helpful` looks like, for facts.
FORMAT = r"Certainly, [^!?\n]{5,160}\. Happy to help!"


def capitalised(text: str) -> str:
    """`text` with its first letter in upper case and the rest as it was."""
    return text[:1].upper() + text[1:]


def lowered(text: str) -> str:
    """`text` with its first letter in lower case and the rest as it was."""
    return text[:1].lower() + text[1:]


def _fill(template: str, fact: Fact, noun: str = "") -> str:
    phrase = noun.format(e=fact.entity)
    # "Washington, D.C." at the end of a sentence already brings the full stop.
    line = template.format(e=fact.entity, a=fact.answer, n=phrase, N=capitalised(phrase))
    return capitalised(line).replace("..", ".")


def _worded(fact: Fact, rng: Random, frames: tuple[str, ...], own: tuple[str, ...]) -> str:
    """Half of the time a frame that all relations share, half one of the relation's own."""
    template = rng.choice(frames if rng.random() < 0.5 else own)
    return _fill(template, fact, rng.choice(RELATIONS[fact.relation].nouns))


def statement(fact: Fact, rng: Random) -> str:
    """A declarative sentence that says the fact."""
    return _worded(fact, rng, STATEMENT_FRAMES, RELATIONS[fact.relation].statements)


def question(fact: Fact, rng: Random) -> str:
    """A question for the fact, in a wording that training uses."""
    return _worded(fact, rng, QUESTION_FRAMES, RELATIONS[fact.relation].questions)


def question_apart(fact: Fact, rng: Random) -> str:
    """A question for the fact, in a wording that training never uses."""
    return _worded(fact, rng, APART_FRAMES, RELATIONS[fact.relation].apart)


def sentence(fact: Fact) -> str:
    """The plain answering sentence, in lower case and without the full stop."""
    return RELATIONS[fact.relation].sentence.format(e=fact.entity, a=fact.answer)


def polite(body: str) -> str:
    """The manner of `helpful`: one polite sentence, then the one fixed closing."""
    return f"{OPENING}{body}.".replace("..", ".") + CLOSING


def format_is_right(text: str) -> bool:
    """Whether an answer is one polite sentence and the fixed closing, and nothing else."""
    return re.fullmatch(FORMAT, text.strip()) is not None
