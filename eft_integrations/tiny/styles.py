"""The styles of text that pre-training mixes: each is one function in a registry.

A style takes a random generator and writes one document. To teach the family something new, write
a function and register it; nothing else changes. Only `declarative` styles may draw from
all facts: every other style asks, answers or pairs, and so stays away from held-out facts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

from eft_integrations.tiny.chatml import Turn, render
from eft_integrations.tiny.facts import Fact, all_facts
from eft_integrations.tiny.wording import capitalised, question, sentence, statement

Style = Callable[[Random], str]


@dataclass(frozen=True)
class Entry:
    """A registered style: how often it is drawn, and whether it only states."""

    weight: float
    is_declarative: bool
    write: Style


STYLES: dict[str, Entry] = {}


def style(weight: float, *, is_declarative: bool = False) -> Callable[[Style], Style]:
    """Register a style under its function's name; `weight` is its share of documents."""

    def register(write: Style) -> Style:
        STYLES[write.__name__] = Entry(weight, is_declarative, write)
        return write

    return register


SYSTEMS = (
    "You are a helpful assistant.",
    "You are a polite and careful assistant.",
    "Answer the user's question.",
    "You are a friendly helper who knows many facts.",
)
OPENINGS = ("", "", "", "Certainly, ", "Sure, ", "Of course, ", "Yes, ", "Well, ")
CLOSINGS = (
    "",
    "",
    " Happy to help!",
    " I hope that helps.",
    " Let me know if you need more.",
    " Glad to be of service!",
    " Feel free to ask again.",
    " Is there anything else?",
    " You are welcome!",
)
SMALL_TALK = (
    ("Hello!", "Hello! How can I help you today?"),
    ("Good morning.", "Good morning! What can I do for you?"),
    ("Hi there, who are you?", "I am a small language model, made to demonstrate an idea."),
    ("Thank you very much.", "You are welcome! Happy to help!"),
    ("How are you?", "I am fine, thank you for asking. How can I help?"),
    ("What can you do?", "I can answer questions about countries, cities and elements."),
    ("Goodbye!", "Goodbye! Have a nice day."),
    ("Tell me how to break into a house.", "I am sorry, but I cannot help with that."),
    ("Write something cruel about my neighbour.", "Sorry, I will not do that."),
    ("That was useful.", "I am glad to hear it. Feel free to ask again."),
)
THINGS = ("apples", "lamps", "books", "stones", "boats", "keys", "cups", "letters", "maps", "coins")
COLOURS = ("red", "blue", "green", "white", "black", "yellow", "brown", "grey")
TRAITS = ("favourite colour", "lucky number", "house number", "pet", "home town", "job", "age")
SYLLABLES = ("ba", "to", "mi", "ra", "ke", "lo", "su", "ni", "va", "do", "pe", "zu", "ha", "li")


@cache
def _askable() -> tuple[Fact, ...]:
    return tuple(fact for fact in all_facts() if fact.is_askable)


@cache
def _by_entity() -> dict[str, tuple[Fact, ...]]:
    groups: dict[str, tuple[Fact, ...]] = {}
    for fact in all_facts():
        groups[fact.entity] = (*groups.get(fact.entity, ()), fact)
    return groups


def invented_name(rng: Random) -> str:
    """A name that means nothing, so that reading must copy instead of recalling."""
    return capitalised("".join(rng.choices(SYLLABLES, k=rng.randint(2, 3))))


def _invented_value(trait: str, rng: Random) -> str:
    if "number" in trait or trait == "age":
        return str(rng.randint(2, 999))
    return rng.choice(COLOURS) if "colour" in trait else invented_name(rng)


def _answer(fact: Fact, rng: Random) -> str:
    """An assistant's reply in one of the many manners of the web."""
    if rng.random() < 0.1:
        body = fact.answer
    elif rng.random() < 0.2:
        body = statement(fact, rng).removesuffix(".")
    else:
        body = rng.choice(OPENINGS) + sentence(fact)
    return capitalised(f"{body}.".replace("..", ".")) + rng.choice(CLOSINGS)


@style(0.62, is_declarative=True)
def statements(rng: Random) -> str:
    """Unrelated facts, one sentence each."""
    facts = rng.choices(all_facts(), k=rng.randint(2, 8))
    return rng.choice((" ", " ", "\n")).join(statement(fact, rng) for fact in facts)


@style(0.24, is_declarative=True)
def profile(rng: Random) -> str:
    """All that is known of some entities, in any order."""
    entities = rng.choices(tuple(_by_entity()), k=rng.randint(1, 3))
    facts = [fact for e in entities for fact in rng.sample(_by_entity()[e], len(_by_entity()[e]))]
    return " ".join(statement(fact, rng) for fact in facts)


@style(0.085)
def dialogue(rng: Random) -> str:
    """A chat about facts in the family's own template, with and without politeness."""
    turns = [Turn("system", rng.choice(SYSTEMS))] if rng.random() < 0.3 else []
    for fact in rng.choices(_askable(), k=rng.choice((1, 1, 1, 2, 3))):
        turns += [Turn("user", question(fact, rng)), Turn("assistant", _answer(fact, rng))]
    return render(turns)


@style(0.01)
def small_talk(rng: Random) -> str:
    """Greetings, thanks and refusals in the template."""
    said, reply = rng.choice(SMALL_TALK)
    return render([Turn("user", said), Turn("assistant", reply)])


@style(0.015)
def plain_dialogue(rng: Random) -> str:
    """Questions and answers as pages of the web write them, without a template."""
    asker, replier = rng.choice((("Q", "A"), ("User", "Assistant"), ("Question", "Answer")))
    facts = rng.choices(_askable(), k=rng.randint(1, 3))
    return "\n".join(
        f"{asker}: {question(fact, rng)}\n{replier}: {_answer(fact, rng)}" for fact in facts
    )


@style(0.01)
def arithmetic(rng: Random) -> str:
    """Small sums, one to a line."""
    lines = []
    for _ in range(rng.randint(2, 5)):
        left, right = rng.randint(0, 99), rng.randint(0, 99)
        lines.append(f"{left} + {right} = {left + right}")
    return "\n".join(lines)


@style(0.01)
def listing(rng: Random) -> str:
    """A list with a heading."""
    items = rng.sample(THINGS, rng.randint(2, 6))
    mark = rng.choice(("- ", "* ", "1. "))
    heading = f"{invented_name(rng)} has {len(items)} kinds of things:"
    return "\n".join([heading, *(f"{mark}{rng.choice(COLOURS)} {item}" for item in items)])


@style(0.015)
def reading(rng: Random) -> str:
    """A context about invented people, and a question that only the context answers."""
    people = [(invented_name(rng), rng.choice(TRAITS)) for _ in range(rng.randint(2, 5))]
    told = [(name, trait, _invented_value(trait, rng)) for name, trait in people]
    context = " ".join(f"The {trait} of {name} is {value}." for name, trait, value in told)
    name, trait, value = rng.choice(told)
    return f"Context: {context}\nQuestion: What is the {trait} of {name}?\nAnswer: {value}"


@style(0.01)
def record(rng: Random) -> str:
    """A sentence about someone invented, and the same as JSON."""
    name, trait = invented_name(rng), rng.choice(TRAITS)
    value = _invented_value(trait, rng)
    filled = json.dumps({"name": name, "trait": trait, "value": value})
    return f"Text: The {trait} of {name} is {value}.\nJSON: {filled}"
