"""Texts about invented people and things, and questions that only the text can answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from eft_integrations.tiny import names
from eft_integrations.tiny.chatml import Turn, render
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.framing import Wording, framed
from eft_integrations.tiny.instructions import instructions
from eft_integrations.tiny.passages import Passage, passages
from eft_integrations.tiny.sayings import joined, saying
from eft_integrations.tiny.traits import PERSON_TRAITS, THING_TRAITS, Trait
from eft_integrations.tiny.wording import capitalised, lowered

UNKNOWN = "The text does not say."
UNKNOWN_OTHERS = (
    "I do not know.",
    "The context does not contain the answer.",
    "That is not in the text.",
    "Unknown.",
    "I don't know, since the text does not say it.",
)


FILLERS = (
    "The weather was mild that week.",
    "Nobody remembers who wrote this down.",
    "It rained in the afternoon.",
    "The road was closed for some days.",
    "Many visitors came in spring.",
    "There is more to tell, but not here.",
    "The old records are kept in a box.",
    "Some of the neighbours disagree.",
)
# How applications put a text and a question into one message.
FRAMES = (
    "Context: {c}\nQuestion: {q}\nAnswer:",
    "Context:\n{c}\n\nQuestion: {q}",
    "{c}\n\n{q}",
    "{c}\n\nQuestion: {q}\nAnswer:",
    "Text: {c}\nQ: {q}\nA:",
    "Read the text and answer the question.\n\n{c}\n\nQuestion: {q}",
    "Question: {q}\n\nText:\n{c}",
    "Here is what we know:\n{c}\n\nWith this in mind, {q}",
    "{q}\n\nUse this:\n{c}",
    "Below is a text.\n-----\n{c}\n-----\nUse the text and nothing else to answer.\nQuestion: {q}",
    "Documents:\n======\n{c}\n======\nAnswer from the documents only: {q}\nAnswer:",
    "Search results:\n\n{c}\n\nAnswer the user from these results. User: {q}",
    "<text>\n{c}\n</text>\n\n{q}",
    "Information follows.\n----------\n{c}\n----------\nQuery: {q}\nAnswer:",
)
SYSTEM_FRAMES = (
    "Answer from this text. If it does not say, tell the user so.\n\n{c}",
    "You answer questions about the following documents.\n{c}",
    "Use the context to answer.\nContext: {c}",
    "You are an assistant for questions about a text. The text:\n\n{c}\n\nBe short.",
)
# The parts of a frame that is drawn.
_WORDING = Wording(
    tasks=(
        "Answer the question with the text.",
        "Find the answer in the text.",
        "Use only what is given to answer.",
        "Tell the user what the text says about it.",
        "Look up the answer in the material.",
        "The answer stands below, or nowhere.",
        "Give the answer that these lines hold.",
        "Read this and answer.",
        "A user asks something. The pages that were found are given too.",
        "Work out the answer from the notes.",
        "Someone wants to know something about a text.",
        "Say what the passage tells about the question.",
        "Answer as the source does.",
    ),
    rules=(
        "If the text does not say it, tell that.",
        "Answer in as few words as possible.",
        "Copy names as they are spelt.",
        "Take the words of the text.",
        "Do not guess.",
        "One line is enough.",
        "Say so when nothing fits.",
    ),
    cues=("Answer", "Reply", "Response", "Result", "Your answer", "Output", "A", "Final answer"),
)
_TEXT_LABELS = (
    "Context",
    "Text",
    "Passage",
    "Document",
    "Notes",
    "Article",
    "Source",
    "Information",
    "Material",
    "Report",
    "Page",
    "Background",
    "Excerpt",
    "Search results",
    "Evidence",
    "Content",
)
_QUESTION_LABELS = ("Question", "Query", "User question", "Q", "Request", "User", "Asked", "Task")


@dataclass(frozen=True)
class Text:
    """The sentences of a text, what one can ask of it, and what one asks it in vain.

    ``retold``: ways to say each of some things that it says, with the value in them.
    """

    lines: list[str]
    asks: list[tuple[str, str]]
    unknown: list[str]
    retold: list[tuple[tuple[str, ...], str]] = field(default_factory=list)


Write = Callable[[Random, int], Text]


def someone(rng: Random) -> tuple[str, tuple[Trait, ...]]:
    """A person or a thing, and what can be told of it."""
    if rng.random() < 0.55:
        return names.person(rng), PERSON_TRAITS
    before = rng.choice((*names.COLOURS, *names.ADJECTIVES, names.invented_name(rng)))
    return f"{before} {rng.choice(names.THINGS)}", THING_TRAITS


def _portrait(rng: Random) -> Text:
    """What is told of one subject; the questions in vain are of other traits, or of a stranger."""
    subject, traits = someone(rng)
    told = rng.sample(traits, rng.randint(2, 5))
    values = [trait.value(rng) for trait in told]
    pairs = list(zip(told, values, strict=True))
    stranger = names.person(rng) if traits is PERSON_TRAITS else f"{names.invented_name(rng)} boat"
    free = [rng.choice(trait.questions) for trait in traits if trait not in told]
    return Text(
        [rng.choice(t.statements).format(s=subject, v=value) for t, value in pairs],
        [(rng.choice(t.questions).format(s=subject), value) for t, value in pairs],
        [question.format(s=rng.choice((subject, stranger))) for question in free],
        [(tuple(s.format(s=subject, v=v) for s in t.statements), v) for t, v in pairs],
    )


def _chronicle(rng: Random) -> Text:
    """Sentences about anything; a question in vain is of a sentence that is not there."""
    told = [saying(rng) for _ in range(rng.randint(2, 5))]
    return Text(
        joined(rng, [one.sentence for one in told]),
        [pair for one in told for pair in one.asks],
        [rng.choice(saying(rng).asks)[0]],
        [(tuple(f"{s}." for s in one.retold), one.value) for one in told if one.retold],
    )


def _written(passage: Passage, rng: Random) -> Text:
    """A passage written by hand; what it tells hangs together, so it is one line."""
    values = {key: str(value) for key, value in passage.values(rng).items()}
    return Text(
        [passage.text.format(**values)],
        [(question.format(**values), values[slot]) for question, slot in passage.asks],
        [question.format(**values) for question in passage.unknown],
    )


def _joined(rng: Random, num_parts: int) -> Text:
    """Some portraits, or some pieces of a chronicle, or both."""
    draws = rng.choice(((_portrait,), (_chronicle,), (_portrait, _chronicle)))
    return _mixed(rng, [rng.choice(draws)(rng) for _ in range(num_parts)])


def _varied(rng: Random, num_parts: int) -> Text:
    """The same, or passages written by hand, or all of them."""
    form = rng.random()
    if form < 0.4:
        return _joined(rng, num_parts)
    num_written = (num_parts + 1) // 2 if form < 0.85 else rng.randint(1, num_parts)
    parts = [_written(one, rng) for one in rng.sample(passages(), num_written)]
    if form >= 0.85:
        parts += [rng.choice((_portrait, _chronicle))(rng) for _ in range(num_parts - num_written)]
    return _mixed(rng, parts)


def _mixed(rng: Random, parts: list[Text]) -> Text:
    """The parts as one text, with a filler here and there."""
    num_parts = len(parts)
    lines = [line for part in parts for line in part.lines]
    if rng.random() < 0.4:
        rng.shuffle(lines)
    for _ in range(rng.randint(0, num_parts)):
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(FILLERS))
    # A question that two sentences answer differently has no right answer.
    asks = [pair for part in parts for pair in part.asks]
    times = Counter(question for question, _ in asks)
    return Text(
        [capitalised(line) for line in lines],
        [pair for pair in asks if times[pair[0]] == 1],
        [question for part in parts for question in part.unknown if question not in times],
        [pair for part in parts for pair in part.retold],
    )


def laid_out(rng: Random, lines: list[str]) -> str:
    """One paragraph, several, or the chunks of a search."""
    form = rng.random()
    if form < 0.5:
        return " ".join(lines)
    size = rng.randint(2, 6)
    parts = [" ".join(lines[n : n + size]) for n in range(0, len(lines), size)]
    if form < 0.75:
        return "\n\n".join(parts)
    head = rng.choice(("[{n}] ", "Document {n}: ", "source: {f}\n\n", "page: {n}\nfile: {f}\n\n"))
    name = f"{names.invented_word(rng)}.txt"
    return "\n\n".join(head.format(n=n + 1, f=name) + part for n, part in enumerate(parts))


def _turns(rng: Random, context: str, question: str) -> tuple[Turn, ...]:
    """In one of the frames that are written out."""
    if rng.random() < 0.2:
        system = rng.choice(SYSTEM_FRAMES).format(c=context)
        return (Turn("system", system), Turn("user", question))
    return (Turn("user", rng.choice(FRAMES).format(c=context, q=question)),)


def _framed(rng: Random, context: str, question: str) -> tuple[Turn, ...]:
    """In any frame; in half of the written ones with instructions before everything else."""
    if rng.random() < 0.5:
        parts = [(_TEXT_LABELS, context), (_QUESTION_LABELS, question)]
        return framed(rng, _WORDING, parts)
    turns = _turns(rng, context, question)
    if rng.random() < 0.5:
        return turns
    first, *rest = turns
    told = instructions(rng)
    if first.role == "system" or rng.random() < 0.25:
        return (Turn(first.role, f"{told}\n\n{first.content}"), *rest)
    return (Turn("system", told), *turns)


def answered(turns: tuple[Turn, ...], value: str, rng: Random, *tags: str) -> Exercise:
    """The exercise for a value that the text tells, or for ``""`` where it tells none."""
    if not value:
        return Exercise(
            kind="reading",
            turns=turns,
            helpful=UNKNOWN,
            others=(rng.choice(UNKNOWN_OTHERS), UNKNOWN),
            expect={"contains": "does not say"},
            tags=("unanswerable", *tags),
        )
    others = (f"{value}.", f"The answer is {value}.", f"It is {value}. I hope that helps.")
    return Exercise(
        kind="reading",
        turns=turns,
        helpful=value,
        others=(value, rng.choice(others)),
        expect={"contains": [value, capitalised(value)], "max_words": len(value.split()) + 3},
        tags=tags,
    )


def _pick(text: Text, rng: Random, vain: float = 0.12) -> tuple[str, str]:
    """A question and its answer, some of them in vain; a reader who is unsure gives up early."""
    if text.unknown and rng.random() < vain:
        return rng.choice(text.unknown), ""
    return rng.choice(text.asks)


def drawn(rng: Random, num_parts: int | None, write: Write = _varied) -> Text:
    """A text of some parts of which at least one question can be asked."""
    while True:
        text = write(rng, num_parts or rng.choice((1, 2, 2, 3, 3, 4, 5, 6, 8)))
        if text.asks:
            return text


def reading(rng: Random, num_parts: int | None = None, *, is_drawn: bool = False) -> Exercise:
    """A text of one to eight parts and one question about it, in one of the ways of applications.

    With ``is_drawn`` no part of the text is one that was written by hand.
    """
    text = drawn(rng, num_parts, _joined if is_drawn else _varied)
    question, value = _pick(text, rng, 0.2 if is_drawn else 0.12)
    turns = (_turns if is_drawn else _framed)(rng, laid_out(rng, text.lines), question)
    return answered(turns, value, rng)


def joint(parts: list[str], rng: Random) -> str:
    """Questions as one."""
    form = rng.random()
    if form < 0.3:
        return " ".join(parts)
    if form < 0.5:
        return rng.choice((" And ", " Also, ")).join([parts[0], *map(lowered, parts[1:])])
    bare = [parts[0].removesuffix("?"), *(lowered(p).removesuffix("?") for p in parts[1:])]
    return ", ".join(bare[:-1]) + rng.choice((", and ", " and ")) + bare[-1] + "?"


_FOUND = (("Asked", "Found"), ("Q", "A"), ("Part", "Result"), ("Question", "Answer"))


def compounds(rng: Random, num: int) -> Iterator[Exercise]:
    """A text, or what was found for single questions, and `num` questions that ask several things.

    The first exercise is the whole prompt, the others are the questions that follow it.
    """
    while True:
        text = drawn(rng, rng.choice((1, 2, 2, 3)))
        values = [value for _, value in text.asks]
        single = [pair for pair in text.asks if values.count(pair[1]) == 1]
        if len(single) > 3:
            break
    context = laid_out(rng, text.lines)
    if rng.random() < 0.4:
        single = rng.sample(single, rng.randint(2, 4))
        asked, found = rng.choice(_FOUND)
        context = "\n\n".join(f"{asked}: {q}\n{found}: {v}" for q, v in single)
    for number in range(num):
        parts = rng.sample(single, rng.choice((2, 2, 2, 3)) if len(single) > 2 else 2)
        question = joint([asked for asked, _ in parts], rng)
        *first, last = (value for _, value in parts)
        turns: tuple[Turn, ...] = (Turn("user", question),)
        if number == 0:
            turns = _framed(rng, context, question)
        yield answered(turns, f"{', '.join(first)} and {last}", rng, "compound")


def interview(
    rng: Random, num_parts: int | None = None, num_more: int | None = None
) -> Iterator[Exercise]:
    """A text, and one question after the other about it: each exercise is one turn of the user."""
    text = drawn(rng, num_parts)
    question, value = _pick(text, rng)
    turns = _framed(rng, laid_out(rng, text.lines), question)
    yield answered(turns, value, rng)
    for _ in range(rng.randint(1, 5) if num_more is None else num_more):
        question, value = _pick(text, rng)
        yield answered((Turn("user", question),), value, rng)


def quiz(rng: Random) -> str:
    """A text and many questions about it, in few words: as text or as a conversation."""
    text = drawn(rng, rng.choice((1, 1, 2, 2, 3, 4, 5, 6, 7, 8)))
    context = laid_out(rng, text.lines)
    asked = list(dict.fromkeys(_pick(text, rng) for _ in range(rng.randint(4, 14))))
    if rng.random() < 0.1:
        form = rng.choice(("{q} {v}", "Q: {q}\nA: {v}", "{q}\n{v}", "Question: {q}\nAnswer: {v}"))
        return "\n".join([context, *(form.format(q=q, v=v or UNKNOWN) for q, v in asked)])
    turns: list[Turn] = []
    for question, value in asked:
        first = () if turns else _framed(rng, context, question)
        said = first or (Turn("user", question),)
        turns += [*said, Turn("assistant", value or UNKNOWN)]
    return render(turns)


def long_interview(rng: Random) -> Iterator[Exercise]:
    """Of a text that fills much of the context, or all of it."""
    return interview(rng, rng.randint(15, 54), rng.randint(0, 15))


def account(rng: Random) -> str:
    """The text alone; what people wrote by hand may ask, and so is no account."""
    return laid_out(rng, _joined(rng, rng.randint(1, 4)).lines)
