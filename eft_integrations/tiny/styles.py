"""The styles of text that pre-training mixes: each is one function in a registry.

A style takes a random generator and writes one document. To teach the family something new, write
a function and register it; nothing else changes. Only `declarative` styles may draw from
all facts: every other style asks, answers or pairs, and so stays away from held-out facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from random import Random

from eft_integrations.tiny import (
    agents,
    applications,
    calling,
    mischief,
    names,
    reading,
    records,
    talk,
    workflows,
)
from eft_integrations.tiny import recall as recalling
from eft_integrations.tiny.chatml import Turn, render
from eft_integrations.tiny.exercise import Exercise, Tool
from eft_integrations.tiny.facts import Fact, all_facts
from eft_integrations.tiny.judging import judged, judgements
from eft_integrations.tiny.relations import SHORT
from eft_integrations.tiny.swaps import swapped
from eft_integrations.tiny.wording import capitalised, question, sentence, statement

Style = Callable[[Random], str]


@dataclass(frozen=True)
class Entry:
    """A registered style: how often it is drawn, and whether it only states."""

    weight: float
    is_declarative: bool
    write: Style


STYLES: dict[str, Entry] = {}


def style(
    weight: float, *, is_declarative: bool = False, is_looked_up: bool = False
) -> Callable[[Style], Style]:
    """Register a style under its function's name; `weight` is its share of documents.

    Of those whose answers are looked up in the question, a part has unexpected words in both.
    """

    def register(write: Style) -> Style:
        STYLES[write.__name__] = Entry(
            weight, is_declarative, _varied(write) if is_looked_up else write
        )
        return write

    return register


def _varied(write: Style) -> Style:
    def written(rng: Random) -> str:
        text = write(rng)
        return swapped(text, rng) if rng.random() < 0.4 else text

    return written


@cache
def askable() -> tuple[Fact, ...]:
    """What training text may ask."""
    return tuple(fact for fact in all_facts() if fact.is_askable)


@cache
def _grouped(facts: Callable[[], tuple[Fact, ...]], by: str) -> tuple[tuple[Fact, ...], ...]:
    groups: dict[str, tuple[Fact, ...]] = {}
    for fact in facts():
        groups[getattr(fact, by)] = (*groups.get(getattr(fact, by), ()), fact)
    return tuple(groups.values())


def pair(facts: Callable[[], tuple[Fact, ...]], rng: Random) -> tuple[Fact, Fact]:
    """Two facts about one entity, or one relation of two entities."""
    by = rng.choice(("entity", "relation"))
    groups = [group for group in _grouped(facts, by) if len(group) > 1]
    first, second = rng.sample(rng.choice(groups), 2)
    return first, second


@style(0.14, is_declarative=True)
def statements(rng: Random) -> str:
    """Unrelated facts, one sentence each."""
    facts = rng.choices(all_facts(), k=rng.randint(3, 9))
    return rng.choice((" ", " ", "\n")).join(statement(fact, rng) for fact in facts)


@style(0.11, is_declarative=True)
def profile(rng: Random) -> str:
    """All that is known of some entities, in any order."""
    entities = rng.choices(_grouped(all_facts, "entity"), k=rng.randint(1, 3))
    facts = [fact for group in entities for fact in rng.sample(group, len(group))]
    if len(facts) < 3:
        facts += [f for f in facts for _ in range(2)]
    return " ".join(statement(fact, rng) for fact in facts)


@style(0.03, is_declarative=True)
def almanac(rng: Random) -> str:
    """Entries as handbooks print them: the thing, then what is known of it, without sentences."""
    form = rng.choice(("{n}: {a}", "{n} {a}", "{n} = {a}", "{n} is {a}"))
    mark = rng.choice(("; ", ", ", "\n"))
    lines = []
    for group in rng.choices(_grouped(all_facts, "entity"), k=rng.randint(3, 7)):
        told = mark.join(
            form.format(n=SHORT[fact.relation], a=fact.answer)
            for fact in rng.sample(group, len(group))
        )
        lines.append(f"{capitalised(group[0].entity)}{rng.choice((': ', ' - ', ', '))}{told}")
    return "\n".join(lines)


@style(0.025, is_declarative=True)
def story(rng: Random) -> str:
    """Invented people and things, and what they did."""
    return reading.account(rng)


@style(0.02, is_declarative=True)
def manual(rng: Random) -> str:
    """Pages of a handbook of functions."""
    return calling.manual(rng)


@style(0.025, is_declarative=True)
def ledger(rng: Random) -> str:
    """Rows of data."""
    return records.ledger(rng)


@style(0.03, is_declarative=True)
def copies(rng: Random) -> str:
    """Lists of words that come twice or three times, as an index and its pages do."""
    draws = (names.invented_word, names.foreign, names.code, names.phrase, names.person)
    words = [rng.choice(draws)(rng) for _ in range(rng.randint(2, 8))]
    num = rng.choice((2, 2, 3))
    if rng.random() < 0.6:
        return "\n".join([" ".join(words)] * num)
    forms = ("{}", '"{}"', "- {}", "'{}'", "{}:", "<{}>")
    lines = [[rng.choice(forms).format(word) for word in words] for _ in range(num)]
    return "\n".join(rng.choice((" ", ", ", "\n")).join(line) for line in lines)


@style(0.03)
def recall(rng: Random) -> str:
    """Small tables, and what they say asked in another order."""
    return recalling.recall(rng)


def spoken(asked: Iterable[Exercise], rng: Random) -> str:
    """Exercises as one conversation, answered in manners of the web."""
    turns: list[Turn] = []
    tools: Sequence[Tool] = ()
    for one in asked:
        # The manners of the tuned members are among those of the web, and seldom.
        told = one.others if one.others and rng.random() < 0.97 else (one.helpful,)
        turns += [*one.turns, Turn("assistant", rng.choice(told), one.calls)]
        tools = one.tools
    return render(turns, tools)


@style(0.15)
def dialogue(rng: Random) -> str:
    """A chat about facts in the family's own template, with and without politeness."""
    return spoken([talk.asked(rng.choice(askable()), rng)], rng)


@style(0.025)
def follow_up(rng: Random) -> str:
    """A question, and one that leans on it."""
    first, second = pair(askable, rng)
    leaning = talk.followed_up(first, second, rng)
    return spoken([talk.asked(first, rng), replace(leaning, turns=leaning.turns[-1:])], rng)


@style(0.025)
def briefly(rng: Random) -> str:
    """Questions with the instruction to be short."""
    return spoken([talk.briefly(rng.choice(askable()), rng)], rng)


@style(0.01)
def small_talk(rng: Random) -> str:
    """Greetings and thanks in the template."""
    return spoken([talk.idle(rng)], rng)


@style(0.015)
def misdeed(rng: Random) -> str:
    """Mischief that some explain and some refuse."""
    return spoken([mischief.misdeed(rng)], rng)


@style(0.015)
def plain_dialogue(rng: Random) -> str:
    """Questions and answers as pages of the web write them, without a template."""
    asker, replier = rng.choice((("Q", "A"), ("User", "Assistant"), ("Question", "Answer")))
    facts = rng.choices(askable(), k=rng.randint(1, 3))
    lines = []
    for fact in facts:
        asked, told = question(fact, rng), rng.choice(talk.manners(sentence(fact), rng))
        lines.append(f"{asker}: {asked}\n{replier}: {told}")
    return "\n".join(lines)


@style(0.05, is_looked_up=True)
def text_and_question(rng: Random) -> str:
    """A text, and a question that only the text answers."""
    return spoken([reading.reading(rng)], rng)


@style(0.05, is_looked_up=True)
def text_and_questions(rng: Random) -> str:
    """A text, and question after question about it."""
    return spoken(reading.interview(rng), rng)


@style(0.01, is_looked_up=True)
def text_and_compounds(rng: Random) -> str:
    """A text, and questions that ask several things at once."""
    return spoken(reading.compounds(rng, rng.randint(1, 4)), rng)


@style(0.05, is_looked_up=True)
def quiz(rng: Random) -> str:
    """A short text, and all that it answers."""
    return reading.quiz(rng)


@style(0.004, is_looked_up=True)
def long_text_and_questions(rng: Random) -> str:
    """The same over thousands of tokens."""
    return spoken(reading.long_interview(rng), rng)


@style(0.05, is_looked_up=True)
def tool_call(rng: Random) -> str:
    """A request and the call that serves it."""
    return spoken([calling.varied_call(rng)], rng)


@style(0.04, is_looked_up=True)
def tool_drill(rng: Random) -> str:
    """A few tools, and call after call."""
    return spoken(calling.drill(rng), rng)


@style(0.03)
def tool_session(rng: Random) -> str:
    """Request after request to the same tools, with their results."""
    return spoken(calling.session(rng), rng)


@style(0.04, is_looked_up=True)
def tool_errand(rng: Random) -> str:
    """A request in everyday words and the call that serves it."""
    return spoken([calling.errand_call(rng)], rng)


@style(0.02, is_looked_up=True)
def tool_calls(rng: Random) -> str:
    """Several requests and their calls."""
    several = rng.choice((calling.varied_calls, calling.several_errands))
    return spoken([several(rng)], rng)


@style(0.01)
def tool_result(rng: Random) -> str:
    """The result of a call, and what is said about it."""
    return spoken([calling.varied_result(rng)], rng)


@style(0.02)
def tool_unneeded(rng: Random) -> str:
    """Tools that are there and not needed."""
    return spoken([calling.no_call(rng, without_tools, is_varied=True)], rng)


@style(0.045, is_looked_up=True)
def record(rng: Random) -> str:
    """A schema, filled from a text."""
    return spoken([records.varied(rng)], rng)


@style(0.03, is_looked_up=True)
def noted_record(rng: Random) -> str:
    """A schema, filled from a text that was written by hand."""
    return spoken([records.noted(rng)], rng)


@style(0.012)
def condensing(rng: Random) -> str:
    """A question that leans on a talk, made whole."""
    return spoken([applications.condensed(*pair(askable, rng), rng)], rng)


@style(0.015)
def choosing(rng: Random) -> str:
    """Options, and which of them a request needs."""
    return spoken([applications.chosen(rng)], rng)


@style(0.015)
def judging(rng: Random) -> str:
    """A claim, and whether a text bears it out."""
    return spoken([judged(rng)], rng)


@style(0.01)
def dividing(rng: Random) -> str:
    """A compound question, and its parts as JSON."""
    return spoken([workflows.divided(rng)], rng)


@style(0.012)
def refining(rng: Random) -> str:
    """An answer that a further text confirms or corrects."""
    return spoken([workflows.refined(rng)], rng)


@style(0.02)
def reasoning(rng: Random) -> str:
    """An agent that writes its steps in lines."""
    return spoken([agents.reasoned(rng)], rng)


@style(0.01)
def judging_drill(rng: Random) -> str:
    """A text, and claim after claim."""
    return spoken(judgements(rng, rng.randint(3, 10)), rng)


@style(0.01)
def choosing_drill(rng: Random) -> str:
    """Options, and request after request."""
    return spoken(applications.choices(rng, rng.randint(2, 8)), rng)


@style(0.01)
def dividing_drill(rng: Random) -> str:
    """Sources, and one compound question after the other."""
    return spoken(workflows.divisions(rng, rng.randint(2, 4)), rng)


@style(0.01)
def reasoning_drill(rng: Random) -> str:
    """An agent that writes its steps in lines, and its next requests."""
    return spoken(agents.reasonings(rng, rng.randint(2, 4)), rng)


@style(0.005)
def taken_over(rng: Random) -> str:
    """A request that another assistant passed on."""
    return spoken([agents.taken_over(rng)], rng)


@style(0.01)
def gleaning(rng: Random) -> str:
    """A text, and a sentence, a title or some words of it."""
    draw = rng.choice((workflows.summarised, workflows.titled, workflows.keywords))
    return spoken([draw(rng)], rng)


def without_tools(rng: Random, facts: Callable[[], tuple[Fact, ...]] = askable) -> Exercise:
    """Something that is answered in words."""
    draw = rng.choice(
        (_asked, _asked, talk.idle, partial(reading.reading, num_parts=1, is_drawn=True))
    )
    return _asked(rng, facts) if draw is _asked else draw(rng)


def _asked(rng: Random, facts: Callable[[], tuple[Fact, ...]] = askable) -> Exercise:
    return talk.asked(rng.choice(facts()), rng)
