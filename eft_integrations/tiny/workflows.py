"""What applications have a model do with texts and questions: divide, refine, glean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from eft_integrations.tiny import names, tasks
from eft_integrations.tiny.chatml import Turn
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.framing import (
    ASKED,
    TEXTS,
    Wording,
    as_json,
    fixed,
    framed,
    listed,
    named,
)
from eft_integrations.tiny.judging import content_words, foreign, sentences, swapped
from eft_integrations.tiny.reading import UNKNOWN, UNKNOWN_OTHERS, drawn, joint, laid_out, someone

# A source with what it is for, and the questions that it answers.
_Source = tuple[str, str, tuple[str, ...]]
_MEASURES = (
    "turnover profit population price height weight budget size speed age rent cost length "
    "membership output capacity".split()
)


def _files(rng: Random, num: int) -> list[_Source]:
    """Each source knows one person or thing."""
    sources: dict[str, _Source] = {}
    while len(sources) < num:
        subject, traits = someone(rng)
        word = subject.lower().replace(" ", "_")
        name = rng.choice(("{}", "{}_file", "{}_notes", "about_{}")).format(word)
        told = rng.choice(("All about {}.", "Tells of {}.", "Knows {}.", "Notes on {}."))
        asks = tuple(rng.choice(trait.questions).format(s=subject) for trait in traits)
        sources[word] = (name, told.format(subject), asks)
    return list(sources.values())


@dataclass(frozen=True)
class _Library:
    """Named sources, and how a question over some of them is drawn, with its parts' sources."""

    sources: list[_Source]
    ask: Callable[[Random], tuple[str, list[tuple[str, str]]]]

    def listed(self, rng: Random, *, is_json: bool) -> str:
        told = [(name, what) for name, what, _ in self.sources]
        return as_json(dict(told)) if is_json else listed(named(told, rng), rng)


def _figures(rng: Random) -> _Library:
    """A source for each of some things, and one measure of two of them to compare."""
    things = [names.invented_name(rng) for _ in range(rng.choice((2, 3, 3)))]
    kind = rng.choice(("report", "file", "page", "data"))
    sources: list[_Source] = [
        (f"{one.lower()}_{kind}", rng.choice((f"Figures of {one}.", f"The {kind} on {one}.")), ())
        for one in things
    ]

    def ask(rng: Random) -> tuple[str, list[tuple[str, str]]]:
        measure = rng.choice(_MEASURES)
        a, b = rng.sample(range(len(things)), 2)
        frames = (
            "Compare the {m} of {a} and {b}.",
            "Which has the greater {m}, {a} or {b}?",
            "How does the {m} of {a} differ from that of {b}?",
            "Is the {m} of {a} above the {m} of {b}?",
        )
        text = rng.choice(frames).format(m=measure, a=things[a], b=things[b])
        return text, [(f"What is the {measure} of {things[n]}?", sources[n][0]) for n in (a, b)]

    return _Library(sources, ask)


def _shelf(rng: Random) -> _Library:
    """A source for each of some persons or things; one now and then for what any text may say."""
    sources = _files(rng, rng.choice((1, 2, 2, 3)))
    if len(sources) == 1:
        text = drawn(rng, rng.choice((2, 3)))
        asks = tuple(dict.fromkeys(q for q, _ in text.asks if q.endswith("?") and q.count(" ") > 2))
        if len(asks) < 2:
            return _shelf(rng)
        name = rng.choice(("notes", "pages", "archive", "texts", names.invented_word(rng, 2, 2)))
        sources = [(name, rng.choice(("Texts on many things.", "What was written down.")), asks)]

    def ask(rng: Random) -> tuple[str, list[tuple[str, str]]]:
        if len(sources) == 1:
            several = rng.sample(sources[0][2], 2)
            return joint(several, rng), [(asked, sources[0][0]) for asked in several]
        places = rng.sample(range(len(sources)), rng.choice((2, len(sources))))
        parts = [(rng.choice(sources[n][2]), sources[n][0]) for n in places]
        return joint([asked for asked, _ in parts], rng), parts

    return _Library(sources, ask)


def divisions(rng: Random, num: int) -> Iterator[Exercise]:
    """Named sources, and `num` compound questions -> JSON lists of their parts and sources.

    The first exercise is the whole prompt, the others are the questions that follow it.
    """
    draw = _figures if rng.random() < 0.35 else _shelf
    library, is_json = draw(rng), rng.random() < 0.3
    ask = rng.choice(("sub_question", "question", "part", "query", "ask", "subquestion"))
    where = rng.choice(("source", "tool", "tool_name", "where", "name", "from"))
    around = rng.choice(("items", "parts", "questions", "steps", "plan", "lookups"))
    around = around if rng.random() < 0.5 else ""

    def told(parts: list[tuple[str, str]]) -> str:
        several = [{ask: asked, where: name} for asked, name in parts]
        return as_json({around: several} if around else several)

    shape = told([(rng.choice(("<part>", "...")), rng.choice(("<source>", "...")))])
    form = rng.choice(tasks.SHAPE_FORMS).format(s=shape)
    shown = []
    if rng.random() < 0.4:
        other = draw(rng)
        text, parts = other.ask(rng)
        shown = [((other.listed(rng, is_json=is_json), text), told(parts))]
    label, names_ = rng.choice(ASKED), [name for name, _, _ in library.sources]
    for number in range(num):
        text, parts = library.ask(rng)
        turns: tuple[Turn, ...] = (Turn("user", f"{label}: {text}"),)
        if number == 0:
            labels = ("Sources", "Tools", "Where to look", "Engines", "Indexes", "Files")
            sections = ((labels, library.listed(rng, is_json=is_json)), ((label,), text))
            turns = framed(rng, tasks.DIVIDED, sections, form, shown=shown)
        yield fixed("dividing", turns, told(parts), sources=names_)


def divided(rng: Random) -> Exercise:
    """A compound question over named sources -> a JSON list of its parts and their sources."""
    return next(divisions(rng, 1))


def refined(rng: Random) -> Exercise:
    """An answer and a further text -> the answer of the text, or the old one word by word."""
    text = drawn(rng, rng.choice((1, 1, 2, 2, 3)))
    asked, value = rng.choice(text.asks)
    form = rng.choice(("missing", "wrong", "useless", "useless", "confirmed"))
    lines = text.lines
    old = value
    if form == "missing":
        old = rng.choice((UNKNOWN, *UNKNOWN_OTHERS, "No answer yet.", "Not known."))
    elif form == "wrong":
        old = swapped(value, text, rng)
    elif form == "useless":
        asked, old, _ = foreign(text, rng)
        old = old if rng.random() < 0.8 else rng.choice(UNKNOWN_OTHERS)
    if form in ("wrong", "useless") and old not in UNKNOWN_OTHERS and rng.random() < 0.4:
        old = rng.choice(("{}.", "It is {}.", "The answer is {}.")).format(old)
    labels = ("Answer so far", "First answer", "Old answer", "Former answer", "Answer", "Draft")
    news = (*TEXTS, "New text", "Further text", "Next page", "More to read", "News")
    parts = [(ASKED, asked), (labels, old), (news, laid_out(rng, lines))]
    if rng.random() < 0.4:
        rng.shuffle(parts)
    turns = framed(rng, tasks.REFINED, parts)
    return fixed("refining", turns, old if form == "useless" else value, form)


def _gleaned(rng: Random, wording: Wording, task: str = "") -> tuple[tuple[Turn, ...], str]:
    """A prompt about a text, and the text without its layout."""
    text = drawn(rng, rng.choice((1, 1, 2, 2, 3, 4)))
    sections = ((TEXTS, laid_out(rng, text.lines)),)
    return framed(rng, wording, sections, task=task), " ".join(text.lines)


def summarised(rng: Random) -> Exercise:
    """A text -> its first sentence."""
    turns, text = _gleaned(rng, tasks.SUMMARISED)
    return fixed("gleaning", turns, sentences(text)[0], "summary")


def titled(rng: Random) -> Exercise:
    """A text -> the first telling words of it as a title."""
    turns, text = _gleaned(rng, tasks.TITLED)
    title = " ".join(word[0].upper() + word[1:] for word in content_words(text)[:4])
    return fixed("gleaning", turns, title, "title")


def keywords(rng: Random) -> Exercise:
    """A text -> its first telling words with commas between them."""
    num = rng.randint(3, 6)
    turns, text = _gleaned(rng, tasks.KEYWORDS, rng.choice(tasks.KEYWORDS.tasks).format(n=num))
    return fixed("gleaning", turns, ", ".join(content_words(text)[:num]), "keywords", most=num)
