"""What applications ask a model between the user and the answer: to condense, choose, judge.

The prompt fixes the form of the answer, so every exercise has one answer in all manners.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from eft_integrations.tiny import calling, names, tasks
from eft_integrations.tiny.chatml import Turn
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.facts import Fact
from eft_integrations.tiny.framing import as_json, fixed, framed, listed, named
from eft_integrations.tiny.reading import Text, drawn, laid_out, someone
from eft_integrations.tiny.relations import SHORT
from eft_integrations.tiny.sayings import saying
from eft_integrations.tiny.talk import plain
from eft_integrations.tiny.traits import PERSON_TRAITS
from eft_integrations.tiny.wording import capitalised, lowered, question, sentence

TEXTS = ("Text", "Context", "Source", "Passage", "Document", "Material", "Page")
ASKED = ("Question", "Request", "Message", "User", "Query", "Input", "The user writes")
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


# A question, its answer, the message that leans on them, and the same made whole.
_Talk = tuple[str, str, str, str]


def _about_facts(first: Fact, second: Fact, rng: Random) -> _Talk:
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
    whole = _swapped_in(asked, first.entity, second.entity)
    return asked, told, _instead(second.entity, rng), whole


def _swapped_in(text: str, old: str, new: str) -> str:
    """The text with another word in the place of the first ``old``, at its beginning too."""
    found = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, text, count=1)
    if found == text and text.startswith(capitalised(old)):
        return capitalised(new) + text[len(old) :]
    return found


def _instead(other: str, rng: Random) -> str:
    frames = ("And {e}?", "What about {e}?", "How about {e}?", "And for {e}?", "Now {e}.")
    return rng.choice(frames).format(e=other)


def _about_someone(rng: Random) -> _Talk:
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
    is_known = rng.random() < 0.45
    asked, told, leaning, whole = (
        _about_facts(first, second, rng) if is_known else _about_someone(rng)
    )
    if rng.random() < 0.12:
        leaning = whole
    said = [_about_someone(rng)[:2] for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))]
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
    """Something to choose: its name, what is told of it, why one takes it, and a request for it."""

    name: str
    told: str
    reason: str
    request: str


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
    own = [frame.format(rng.choice(topics)) for frame in about]
    request = rng.choice(messages) if messages and rng.random() < 0.4 else rng.choice(own)
    told = rng.choice(frames).format(f"{a}, {b} and {c}")
    return _Option(name, told, f"It is for {a}, {b} and {c}.", request)


def _said(rng: Random) -> _Option:
    """A summary of one sentence, and a question that it answers."""
    one = saying(rng)
    name = f"{names.invented_word(rng, 2, 2)}{rng.choice(('', '.txt', '.pdf', '_notes'))}"
    told = f"{capitalised(one.sentence)}."
    return _Option(name, told, f"It says that {one.sentence}.", rng.choice(one.asks)[0])


def _options(rng: Random) -> list[_Option]:
    num, form = rng.choice((2, 3, 3, 4, 5, 6)), rng.random()
    if form < 0.7:
        options = [(_desk if form < 0.4 else _said)(rng) for _ in range(num)]
    else:
        offers = rng.choice((calling.varied_offers, calling.errand_offers))(rng, num)
        told = [(offer.schema["function"], offer.ask(rng)[0]) for offer in offers]
        options = [
            _Option(f["name"], f["description"], f"It can {does(f)}.", text) for f, text in told
        ]
    # Two that share a name, a topic or a request could not be told apart.
    kept: dict[str, _Option] = {}
    for one in options:
        if all(one.request != o.request and one.told[-12:] != o.told[-12:] for o in kept.values()):
            kept.setdefault(one.name, one)
    return list(kept.values()) if len(kept) > 1 else _options(rng)


def does(function: Mapping[str, Any]) -> str:
    """What a function does, in lower case and without the full stop."""
    return lowered(function["description"].removesuffix("."))


def _shaped(shape: str, rng: Random, *, is_list: bool = False) -> str:
    several = rng.choice((" One or two entries.", " The list has one or two entries."))
    return rng.choice(tasks.SHAPE_FORMS).format(s=shape) + (several if is_list else "")


def _picked(
    options: list[_Option], marks: list[str], rng: Random
) -> tuple[str, list[int], str, str]:
    """The form as the prompt tells it, what is picked, the answer, and the name of the form."""
    word = "letter" if marks[0].isalpha() else "number"
    picks = [rng.randrange(len(options))]
    values: list[Any] = [int(m) if m.isdigit() else m for m in marks]
    form = rng.choice(
        ("number", "number", "object", "object", "list", "list", "line", "name", "name")
    )
    if form == "number":
        return rng.choice(tasks.NUMBER_FORMS).format(w=word), picks, marks[picks[0]], form
    if form == "name":
        told = rng.choice(tasks.NAME_FORMS).format(n=", ".join(one.name for one in options))
        return told, picks, options[picks[0]].name, form
    if form == "line":
        label, mark = (
            rng.choice(("Item", "Entry", "Pick", "No.")),
            rng.choice(("Score", "Fit", "Rank")),
        )
        best = rng.choice((5, 10, 100))
        shape = f"{label}: <{word}>, {mark}: <0 to {best}>"
        answer = f"{label}: {marks[picks[0]]}, {mark}: {best}"
        return rng.choice(tasks.SCORED_FORMS).format(shape), picks, answer, form
    key = rng.choice(("choice", "option", "index", "selected", "pick", "id", "entry", "number"))
    why = rng.choice(("reason", "reason", "why", "because", "explanation", "rationale"))
    empty = rng.choice((f"<{word}>", values[-1], f"the {word}"))
    example = {key: empty, why: rng.choice(("<why>", "...", "one short sentence", "a reason"))}
    if form == "list" and len(options) > 2 and rng.random() < 0.35:
        picks = sorted(rng.sample(range(len(options)), 2))
    full = [{key: values[n], why: options[n].reason} for n in picks]
    if form == "list":
        return _shaped(as_json([example]), rng, is_list=True), picks, as_json(full), form
    return _shaped(as_json(example), rng), picks, as_json(full[0]), form


def chosen(rng: Random) -> Exercise:
    """Options with descriptions and a request -> the option, in the form that the prompt states."""
    options = _options(rng)
    marks = list("ABCDEF" if rng.random() < 0.25 else "123456")[: len(options)]
    form, picks, answer, kind = _picked(options, marks, rng)
    shown = named([(one.name, one.told) for one in options], rng)
    if kind != "name":
        if rng.random() < 0.4:
            shown = [one.told for one in options]
        mark = rng.choice(("{}. ", "{}) ", "({}) ", "[{}] ", "Option {}: ", "#{} ", "{}: "))
        lines = "\n".join(mark.format(m) + s for m, s in zip(marks, shown, strict=True))
    else:
        lines = listed(shown, rng)
    request = rng.choice((" ", " And: ", "\n")).join(options[n].request for n in picks)
    labels = ("Options", "Choices", "Entries", "Sources", "Departments", "Candidates", "List")
    turns = framed(rng, tasks.CHOSEN, ((labels, lines), (ASKED, request)), form)
    return fixed("choosing", turns, answer, kind, options=[o.name for o in options], picks=picks)


_LINKS = set(
    "about after also away before below down each first from have here into like more most much "
    "near nobody nothing only other over same shall some than that their them then there these "
    "they this those very were what when where which while whom whose will with would your since "
    "does made".split()
)


def content_words(text: str) -> list[str]:
    """The words of a text that say what it is about, each once."""
    words = re.findall(r"[^\W\d_]{4,}", text)
    return list(dict.fromkeys(word for word in words if word.lower() not in _LINKS))


def sentences(text: str) -> list[str]:
    """The sentences of a text of one line."""
    # Neither "no. 4" nor "Dr. Ada" ends one.
    return re.split(r"(?<=[.!?])(?<!\bno\.)(?<!\b[A-Z][a-z]\.) +(?=[^\Wa-z_])", text)


def _shape(value: str) -> str:
    """Of which kind a value is: ``A``, ``a a``, ``0 a``."""
    return re.sub(
        r"[^\W\d_]+", lambda m: "A" if m[0][0].isupper() else "a", re.sub(r"\d+", "0", value)
    )


def swapped(value: str, text: Text, rng: Random) -> str:
    """Another value of the same kind: of the same text, of another one, or invented."""
    pool = [v for _, v in text.asks]
    for _ in range(6):
        near = [v for v in pool if _shape(v) == _shape(value) and v not in value and value not in v]
        if near:
            return rng.choice(near)
        pool = [v for _, v in drawn(rng, 3).asks]
    number = re.search(r"\d+", value)
    if number:
        other = str(int(number[0]) + rng.randint(1, 9))
        return value[: number.start()] + other + value[number.end() :]
    return names.invented_name(rng) if value[:1].isupper() else f"{names.invented_word(rng, 2, 2)}"


def foreign(text: Text, rng: Random) -> tuple[str, str, Text]:
    """A question that the text does not touch, its answer, and the text that has it."""
    known = {word.lower() for word in content_words(" ".join(text.lines))}
    while True:
        other = drawn(rng, rng.choice((1, 1, 2)))
        asked, value = rng.choice(other.asks)
        if sum(word.lower() in known for word in content_words(asked)) <= 1:
            return asked, value, other


def _verdict(is_good: bool, style: str, rng: Random) -> tuple[str, str]:
    """The form as the prompt tells it, and the answer in it."""
    if style != "relevant" and rng.random() < 0.25:
        bad, good = rng.choice((("1", "5"), ("1", "5"), ("1", "5"), ("0", "10"), ("1", "10")))
        told = rng.choice(tasks.SCORE_FORMS).format(g=good, b=bad)
        answer = good if is_good else bad
        if rng.random() < 0.5:
            return told + " Only the number.", answer
        line = "The text says the same." if is_good else "The text does not say this."
        return told + rng.choice(tasks.FEEDBACKS), f"{answer}\n{line}"
    good, bad = rng.choice(tasks.VERDICTS)
    return rng.choice(tasks.VERDICT_FORMS).format(g=good, b=bad), good if is_good else bad


def judged(rng: Random) -> Exercise:
    """A text, and a claim, an answer or a question that it bears out or not -> the verdict."""
    text, is_good = drawn(rng, rng.choice((1, 1, 2, 2, 3))), rng.random() < 0.5
    style = rng.choice(("claim", "claim", "answer", "answer", "relevant"))
    asked, value = rng.choice(text.asks)
    wrong = swapped(value, text, rng)
    claims = [s for s in sentences(" ".join(text.lines)) if _swapped_in(s, value, wrong) != s]
    sections: list[tuple[tuple[str, ...], str]] = [(TEXTS, laid_out(rng, text.lines))]
    wording = tasks.ANSWERED
    if style == "relevant":
        wording, asked = tasks.RELEVANT, asked if is_good else foreign(text, rng)[0]
        sections.append((ASKED, asked))
    elif style == "claim" and claims:
        wording, claim = tasks.CLAIMED, claims[0]
        claim = claim if is_good else _swapped_in(claim, value, wrong)
        sections.append((("Statement", "Claim", "Said", "Sentence"), claim))
    else:
        if not is_good:
            value = wrong
            if rng.random() < 0.25:
                asked, value, _ = foreign(text, rng)
        told = rng.choice(("{}", "{}.", "It is {}.", "The answer is {}.")).format(value)
        sections += [(ASKED, asked), (("Answer", "Reply", "Response", "Given answer"), told)]
    form, answer = _verdict(is_good, style, rng)
    turns = framed(rng, wording, sections, form)
    return fixed("judging", turns, answer, "good" if is_good else "bad", style)
