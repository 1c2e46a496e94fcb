"""What applications have a model do step by step: divide, refine, reason, glean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from eft_integrations.tiny import calling, names, tasks
from eft_integrations.tiny.applications import does
from eft_integrations.tiny.chatml import Call, Turn
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
from eft_integrations.tiny.reading import UNKNOWN, UNKNOWN_OTHERS, drawn, laid_out, someone
from eft_integrations.tiny.talk import plain
from eft_integrations.tiny.toolbox import Offer
from eft_integrations.tiny.wording import lowered

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


def _joint(parts: list[str], rng: Random) -> str:
    """Questions as one."""
    form = rng.random()
    if form < 0.3:
        return " ".join(parts)
    if form < 0.5:
        return rng.choice((" And ", " Also, ")).join([parts[0], *map(lowered, parts[1:])])
    bare = [parts[0].removesuffix("?"), *(lowered(p).removesuffix("?") for p in parts[1:])]
    return ", ".join(bare[:-1]) + rng.choice((", and ", " and ")) + bare[-1] + "?"


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
            return _joint(several, rng), [(asked, sources[0][0]) for asked in several]
        places = rng.sample(range(len(sources)), rng.choice((2, len(sources))))
        parts = [(rng.choice(sources[n][2]), sources[n][0]) for n in places]
        return _joint([asked for asked, _ in parts], rng), parts

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


@dataclass(frozen=True)
class _Layout:
    """The labels of the lines that an agent writes; with ``is_joined`` the call is one line."""

    thought: str
    action: str
    given: str
    seen: str
    end: str
    is_joined: bool

    def step(self, function: Mapping[str, Any], call: Call) -> str:
        """The lines that run a function."""
        lines = [f"{self.thought}: I need to {does(function)}."]
        if self.is_joined:
            body = as_json({"name": call.name, "input": dict(call.arguments)})
            return "\n".join([*lines, f"{self.action}: {body}"])
        lines += [f"{self.action}: {call.name}", f"{self.given}: {as_json(dict(call.arguments))}"]
        return "\n".join(lines)

    def told(self, listed_names: str, rng: Random) -> str:
        """The layout as a prompt prescribes it."""
        why, what, which, result, say = rng.choice(_PLACEHOLDERS)
        call = [f"{self.action}: {which.format(n=listed_names)}", f"{self.given}: {what}"]
        if self.is_joined:
            call = [
                f'{self.action}: {{"name": "{which.format(n=listed_names)}", "input": {{...}}}}'
            ]
        once = [f"{self.thought}: {why}", *call, f"{self.seen}: {result}"]
        last = [f"{self.thought}: {why}", f"{self.end}: {say}"]
        head, middle = rng.choice(_LAYOUT_HEADS)
        return "\n".join([head, *once, middle, *last])


_PLACEHOLDERS = (
    ("<why>", "<JSON object>", "<one of {n}>", "<comes from outside>", "<for the user>"),
    ("what to do next", "its input as JSON", "one of {n}", "what it gave back", "the outcome"),
    ("...", "{...}", "{n}", "...", "..."),
    ("(consider)", "(JSON)", "(a name: {n})", "(wait for it)", "(tell the user)"),
    ("your idea", "an object with its values", "the name", "you get this", "what the user reads"),
    ("[idea]", "[values in JSON]", "[{n}]", "[filled in for you]", "[last word]"),
)
_LAYOUT_HEADS = (
    ("Write each step so:", "When you are done:"),
    ("Use these lines:", "(again, as often as needed)\nAnd in the end:"),
    ("The layout of a step:", "The layout of the end:"),
    ("To run a function:", "To finish:"),
    ("Lines to write:", "Once you know enough:"),
    ("A step looks like this.", "The last one looks like this."),
)


def _layout(rng: Random) -> _Layout:
    action, given = rng.choice(
        (
            ("Action", "Action Input"),
            ("Action", "Action Input"),
            ("Tool", "Arguments"),
            ("Use", "Input"),
            ("Tool", "Input"),
            ("Function", "Parameters"),
            ("Act", "With"),
            ("Run", "Values"),
        )
    )
    labels = (
        rng.choice(("Thought", "Thought", "Reasoning", "Plan", "Idea", "Thinking")),
        action,
        given,
        rng.choice(("Observation", "Observation", "Result", "Output", "Returned", "Seen")),
        rng.choice(("Answer", "Answer", "Final Answer", "Reply", "Conclusion", "Done")),
    )
    write = rng.choice((str, str, str, str.upper, str.lower))
    thought, act, inputs, seen, end = map(write, labels)
    return _Layout(thought, act, inputs, seen, end, rng.random() < 0.15)


def _in_prose(function: Mapping[str, Any], form: int) -> str:
    """A function as a line of a prompt tells it."""
    name, told = function["name"], function["description"]
    takes = function["parameters"]["properties"]
    typed = ", ".join(f"{key}: {one['type']}" for key, one in takes.items())
    keys = ", ".join(takes) or "nothing"
    return (
        f"{name}({typed}) - {told}",
        f"{name}: {told} Takes {keys}.",
        f"{name}: {told} Input: {as_json({key: one['type'] for key, one in takes.items()})}",
        f"Name: {name}\nPurpose: {told}\nInput: {as_json(takes)}",
        f"{told} The function is called {name} and takes {keys}.",
        f"`{name}` [{keys}] {told}",
    )[form]


def _continued(
    turns: tuple[Turn, ...], layout: _Layout, step: str, given: str, rng: Random
) -> tuple[Turn, ...]:
    """A step was made and something came back: as turns, or behind the prompt as one text."""
    seen = f"{layout.seen}: {given}"
    if rng.random() < 0.5:
        return (*turns, Turn("assistant", step), Turn("user", seen))
    *before, last = turns
    mark = rng.choice(("\n\n", "\n\nSteps so far:\n", "\n\nProgress:\n", "\n\nYour work:\n"))
    return (*before, Turn("user", f"{last.content}{mark}{step}\n{seen}"))


def _begun(turns: tuple[Turn, ...], layout: _Layout, rng: Random) -> tuple[Turn, ...]:
    """A fifth of the time the prompt ends with the label of the line that comes next."""
    if rng.random() < 0.8:
        return turns
    return (*turns[:-1], Turn("user", f"{turns[-1].content}\n{layout.thought}:"))


@dataclass(frozen=True)
class _Agent:
    """Functions, and the layout in which they are told and used."""

    offers: list[Offer]
    layout: _Layout

    @property
    def functions(self) -> list[Mapping[str, Any]]:
        return [one.schema["function"] for one in self.offers]

    def prompt(self, rng: Random, text: str) -> tuple[Turn, ...]:
        form, told = rng.randrange(6), ", ".join(one["name"] for one in self.functions)
        lines = listed([_in_prose(one, form) for one in self.functions], rng)
        labels = ("Functions", "Tools", "What you can use", "Available", "Skills", "Abilities")
        wants = ("Request", "Question", "Task", "User", "The user wants", "Goal", "Begin")
        sections = ((labels, lines), (wants, text))
        return framed(rng, tasks.REASONED, sections, self.layout.told(told, rng))

    def step(self, turns: tuple[Turn, ...], offer: Offer, call: Call) -> Exercise:
        """The exercise of running a function."""
        used = {"name": call.name, "arguments": dict(call.arguments)}
        tools = [one["name"] for one in self.functions]
        step = self.layout.step(offer.schema["function"], call)
        labels = asdict(self.layout)
        return fixed("reasoning", turns, step, "step", tools=tools, call=used, labels=labels)

    def end(self, turns: tuple[Turn, ...], body: str) -> Exercise:
        """The exercise of telling the outcome."""
        told = f"{self.layout.thought}: The rest is known now.\n{self.layout.end}: {plain(body)}"
        return fixed("reasoning", turns, told, "end", body=body, labels=asdict(self.layout))


def _agent(rng: Random) -> _Agent:
    draw = rng.choice((calling.varied_offers, calling.errand_offers))
    return _Agent(draw(rng, rng.choice((1, 2, 2, 3, 4))), _layout(rng))


def reasoned(rng: Random) -> Exercise:
    """An agent in text: functions, a layout of lines and a request -> the lines that come next."""
    agent = _agent(rng)
    offer = rng.choice(agent.offers)
    text, call = offer.ask(rng)
    turns = agent.prompt(rng, text)
    if rng.random() < 0.5:
        return agent.step(_begun(turns, agent.layout, rng), offer, call)
    given, body = calling.varied_outcome(rng)
    step = agent.layout.step(offer.schema["function"], call)
    turns = _begun(_continued(turns, agent.layout, step, given, rng), agent.layout, rng)
    return agent.end(turns, body)


def reasonings(rng: Random, num: int) -> Iterator[Exercise]:
    """`num` requests to one agent, each with its step and, mostly, what came of it."""
    agent = _agent(rng)
    for number in range(num):
        offer = rng.choice(agent.offers)
        text, call = offer.ask(rng)
        turns = agent.prompt(rng, text) if number == 0 else (Turn("user", text),)
        yield agent.step(turns, offer, call)
        if rng.random() < 0.7:
            given, body = calling.varied_outcome(rng)
            yield agent.end((Turn("user", f"{agent.layout.seen}: {given}"),), body)


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
