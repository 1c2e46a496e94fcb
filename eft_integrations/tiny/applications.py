"""What applications ask a model between the user and the answer: to condense, choose, judge.

The prompt fixes the form of the answer, so every exercise has one answer in all manners.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from eft_integrations.tiny import calling, names, tasks
from eft_integrations.tiny.chatml import Turn
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.facts import Fact
from eft_integrations.tiny.framing import ASKED, as_json, fixed, framed, listed, named
from eft_integrations.tiny.judging import swapped_in
from eft_integrations.tiny.reading import drawn, someone
from eft_integrations.tiny.relations import SHORT
from eft_integrations.tiny.sayings import noun, saying
from eft_integrations.tiny.talk import plain
from eft_integrations.tiny.traits import PERSON_TRAITS
from eft_integrations.tiny.wording import capitalised, lowered, question, sentence

_SPEAKERS = (
    ("User", "Assistant"),
    ("Human", "AI"),
    ("Customer", "Agent"),
    ("user", "assistant"),
    ("Q", "A"),
    ("Visitor", "Bot"),
    ("Caller", "Desk"),
)
_AND = ("And {q}", "{Q}", "{Q}", "So {q}", "Okay, {q}")


_LEANING = re.compile(r"\b(he|she|it|its|him|her|his|they|them|their)\b")
# A question, its answer, the message that leans on them, and the same made whole.
_Talk = tuple[str, str, str, str]


def _about_facts(facts: tuple[Fact, Fact], rng: Random) -> _Talk:
    first, second = facts
    asked = question(first, rng)
    told = rng.choice((plain(sentence(first)), first.answer))
    if first.entity == second.entity:
        short = SHORT[second.relation]
        frames = ("And its {n}?", "What about its {n}?", "And what is its {n}?", "Its {n}?")
        return (
            asked,
            told,
            rng.choice(frames).format(n=short),
            f"What is the {short} of {first.entity}?",
        )
    whole = swapped_in(asked, first.entity, second.entity)
    return asked, told, _instead(second.entity, rng), whole


def _instead(other: str, rng: Random) -> str:
    frames = ("And {e}?", "What about {e}?", "How about {e}?", "And for {e}?", "Now {e}.")
    return rng.choice(frames).format(e=other)


def _about_a_text(_: object, rng: Random) -> _Talk:
    """Two questions that a text answers: each is whole, though the second follows the first."""
    whole = ""
    while not whole.endswith("?") or _LEANING.search(whole):
        text = drawn(rng, rng.choice((1, 1, 2)))
        (asked, told), (whole, _) = rng.choice(text.asks), rng.choice(text.asks)
    return asked, told, whole, whole


def _about_someone(_: object, rng: Random) -> _Talk:
    """The same of somebody or something invented."""
    subject, traits = someone(rng)
    first, second = rng.sample(traits, 2)
    template = rng.choice(first.questions)
    asked, value = template.format(s=subject), first.value(rng)
    told = rng.choice((capitalised(value), first.statements[0].format(s=subject, v=value)))
    if rng.random() < 0.3:
        is_person = traits is PERSON_TRAITS
        other = names.person(rng) if is_person else f"{names.invented_name(rng)} boat"
        return (
            asked,
            told,
            _instead(other if is_person else f"the {other}", rng),
            template.format(s=other),
        )
    wanted = rng.choice(second.questions)
    he, him, his = rng.choice((("he", "him", "his"), ("she", "her", "her")))
    # "How far is it from" begins a request that is written apart.
    leaning = wanted.replace("the {s} from the station", "the station from there")
    leaning = leaning.replace("the {s}", "it")
    leaning = leaning.replace("{s}'s", his).replace("of {s}", f"of {him}").replace("{s}", he)
    return (
        asked,
        told,
        rng.choice(_AND).format(q=lowered(leaning), Q=leaning),
        wanted.format(s=subject),
    )


def condensed(first: Fact, second: Fact, rng: Random) -> Exercise:
    """A question that leans on the talk before it -> the question that stands alone.

    ``first`` and ``second`` share their entity or their relation.
    """
    kind = rng.choices((_about_facts, _about_someone, _about_a_text), (0.35, 0.4, 0.25))[0]
    asked, told, leaning, whole = kind((first, second), rng)
    if rng.random() < 0.12:
        leaning = whole
    said = [_about_someone(None, rng)[:2] for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))]
    said.append((asked, told))
    if rng.random() < 0.3:
        head = framed(rng, tasks.CONDENSED, ())[0].content
        talk = [t for q, a in said for t in (Turn("user", q), Turn("assistant", a))]
        if rng.random() < 0.6:
            return fixed("condensing", (Turn("system", head), *talk, Turn("user", leaning)), whole)
        return fixed("condensing", (*talk, Turn("user", f"{leaning}\n\n{head}")), whole)
    user, other = rng.choice(_SPEAKERS)
    history = "\n".join(f"{user}: {q}\n{other}: {a}" for q, a in said)
    before = ("Conversation", "Talk", "History", "Talk so far", "Messages", "Earlier", "Dialogue")
    newest = ("New message", "Last message", "Newest question", "Then the user asks", "Message")
    return fixed(
        "condensing",
        framed(rng, tasks.CONDENSED, ((before, history), (newest, leaning))),
        whole,
    )


@dataclass(frozen=True)
class _Option:
    """Something to choose: its name, what is told of it, why one takes it, and requests for it."""

    name: str
    told: str
    reason: str
    requests: tuple[str, ...]


def _desk(rng: Random) -> _Option:
    """A department or a source, of the material or with topics that never stood together."""
    name, topics, messages = rng.choice(tasks.DESKS)
    if rng.random() < 0.5:
        name = rng.choice((names.invented_word(rng, 2, 2), f"{rng.choice(names.COLOURS)}_desk"))
        words = rng.sample((*names.THINGS, *names.FOODS, *names.ANIMALS, *names.JOBS), 3)
        topics, messages = tuple(words), ()
    a, b, c = topics
    frames = ("Handles {}.", "All about {}.", "For questions on {}.", "Knows {}.", "Deals with {}.")
    about = ("I have a question about {}.", "Who can help me with {}?", "Tell me about {}.")
    own = tuple(rng.choice(about).format(topic) for topic in topics)
    requests = messages if messages and rng.random() < 0.4 else own
    told = rng.choice(frames).format(f"{a}, {b} and {c}")
    return _Option(name, told, f"It is for {a}, {b} and {c}.", requests)


def _theme(rng: Random) -> _Option:
    """A source about one thing, and questions that touch it."""
    thing = noun(rng)
    where = rng.choice(("", "", f" of {names.invented_name(rng)}", f" in {names.place(rng)}"))
    name = rng.choice((thing.replace(" ", "_"), names.invented_word(rng, 2, 2), f"{thing} pages"))
    asks = rng.sample(tasks.THEMES, 4)
    told = rng.choice(tasks.THEME_FRAMES).format(n=thing)
    requests = tuple(ask.format(n=thing + where) for ask in asks)
    return _Option(name, told, f"It is about the {thing}.", requests)


def _said(rng: Random) -> _Option:
    """A summary of one sentence, and a question that it answers."""
    one = saying(rng)
    name = f"{names.invented_word(rng, 2, 2)}{rng.choice(('', '.txt', '.pdf', '_notes'))}"
    told = f"{capitalised(one.sentence)}."
    return _Option(name, told, f"It says that {one.sentence}.", tuple(q for q, _ in one.asks))


def _options(rng: Random) -> list[_Option]:
    num, form = rng.choice((2, 3, 3, 4, 5, 6)), rng.random()
    if form < 0.8:
        draw = _desk if form < 0.25 else _theme if form < 0.55 else _said
        options = [draw(rng) for _ in range(num)]
    else:
        offers = rng.choice((calling.varied_offers, calling.errand_offers))(rng, num)
        told = [
            (offer.schema["function"], tuple(offer.ask(rng)[0] for _ in range(3)))
            for offer in offers
        ]
        options = [
            _Option(f["name"], f["description"], f"It can {does(f)}.", texts) for f, texts in told
        ]
    # Two that share a name, a topic or a request could not be told apart.
    kept: dict[str, _Option] = {}
    for one in options:
        if all(
            not {*one.requests} & {*o.requests} and one.told[-12:] != o.told[-12:]
            for o in kept.values()
        ):
            kept.setdefault(one.name, one)
    return list(kept.values()) if len(kept) > 1 else _options(rng)


def does(function: Mapping[str, Any]) -> str:
    """What a function does, in lower case and without the full stop."""
    return lowered(function["description"].removesuffix("."))


def _shaped(shape: str, rng: Random, *, is_list: bool = False) -> str:
    several = rng.choice((" One or two entries.", " The list has one or two entries."))
    return rng.choice(tasks.SHAPE_FORMS).format(s=shape) + (several if is_list else "")


@dataclass(frozen=True)
class _Form:
    """The form of an answer as the prompt tells it, and how a choice is written in it."""

    kind: str
    told: str
    write: Callable[[list[_Option], list[str], list[int]], str]


def _form(options: list[_Option], marks: list[str], rng: Random) -> _Form:
    word = "letter" if marks[0].isalpha() else "number"
    values: list[Any] = [int(m) if m.isdigit() else m for m in marks]
    kind = rng.choice(
        ("number", "number", "object", "object", "list", "list", "line", "name", "name")
    )
    if kind == "number":
        told = rng.choice(tasks.NUMBER_FORMS).format(w=word)
        return _Form(kind, told, lambda _, marks, picks: marks[picks[0]])
    if kind == "name":
        told = rng.choice(tasks.NAME_FORMS).format(n=", ".join(one.name for one in options))
        return _Form(kind, told, lambda options, _, picks: options[picks[0]].name)
    if kind == "line":
        label, mark = (
            rng.choice(("Item", "Entry", "Pick", "No.")),
            rng.choice(("Score", "Fit", "Rank")),
        )
        best = rng.choice((5, 10, 100))
        told = rng.choice(tasks.SCORED_FORMS).format(f"{label}: <{word}>, {mark}: <0 to {best}>")
        return _Form(kind, told, lambda _, m, picks: f"{label}: {m[picks[0]]}, {mark}: {best}")
    key = rng.choice(("choice", "option", "index", "selected", "pick", "id", "entry", "number"))
    why = rng.choice(("reason", "reason", "why", "because", "explanation", "rationale"))
    empty = rng.choice((f"<{word}>", values[-1], f"the {word}"))
    example = {why: rng.choice(("<why>", "...", "one short sentence", "a reason")), key: empty}

    def write(options: list[_Option], marks: list[str], picks: list[int]) -> str:
        mark = [int(m) if m.isdigit() else m for m in marks]
        # The reason first: what is chosen then follows from it.
        full = [{why: options[n].reason, key: mark[n]} for n in picks]
        return as_json(full if kind == "list" else full[0])

    shape: Any = example
    if rng.random() < 0.4:
        kinds = {why: {"type": "string"}, key: {"enum": values}}
        shape = {"type": "object", "properties": kinds, "required": [why, key]}
    is_list = kind == "list"
    if is_list:
        shape = {"type": "array", "items": shape} if shape is not example else [example]
    return _Form(kind, _shaped(as_json(shape), rng, is_list=is_list), write)


def _marks(num: int, *, is_lettered: bool) -> list[str]:
    return list("ABCDEF" if is_lettered else "123456")[:num]


def choices(rng: Random, num: int) -> Iterator[Exercise]:
    """Options with descriptions and `num` requests, each with the option that it needs.

    The first exercise is the whole prompt, the others are the requests that follow it.
    """
    options, is_lettered = _options(rng), rng.random() < 0.25
    marks = _marks(len(options), is_lettered=is_lettered)
    form = _form(options, marks, rng)
    mark = rng.choice(("{}. ", "{}) ", "({}) ", "[{}] ", "Option {}: ", "#{} ", "{}: "))
    is_nameless, looks = rng.random() < 0.4, rng.randrange(2**32)

    def lines(options: list[_Option], marks: list[str]) -> str:
        same = Random(looks)
        shown = named([(one.name, one.told) for one in options], same)
        if form.kind == "name":
            return listed(shown, same)
        shown = [one.told for one in options] if is_nameless else shown
        return "\n".join(mark.format(m) + s for m, s in zip(marks, shown, strict=True))

    def asked(options: list[_Option], picks: list[int]) -> str:
        return rng.choice((" ", " And: ", "\n")).join(
            rng.choice(options[n].requests) for n in picks
        )

    shown = []
    if form.kind != "name" and rng.random() < 0.25:
        others = _options(rng)
        other_marks, pick = _marks(len(others), is_lettered=is_lettered), rng.randrange(len(others))
        told = (lines(others, other_marks), asked(others, [pick]))
        shown = [(told, form.write(others, other_marks, [pick]))]
    label = rng.choice(ASKED)
    for number in range(num):
        picks = [rng.randrange(len(options))]
        if form.kind == "list" and len(options) > 2 and rng.random() < 0.35:
            picks = sorted(rng.sample(range(len(options)), 2))
        request, answer = asked(options, picks), form.write(options, marks, picks)
        turns: tuple[Turn, ...] = (Turn("user", f"{label}: {request}"),)
        if number == 0:
            labels = ("Options", "Choices", "Entries", "Sources", "Departments", "Candidates")
            sections = ((labels, lines(options, marks)), ((label,), request))
            turns = framed(rng, tasks.CHOSEN, sections, form.told, shown=shown)
        about = {"options": [one.name for one in options], "picks": picks}
        yield fixed("choosing", turns, answer, form.kind, **about)


def chosen(rng: Random) -> Exercise:
    """Options with descriptions and a request -> the option, in the form that the prompt states."""
    return next(choices(rng, 1))
