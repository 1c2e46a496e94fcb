"""What a text bears out: claims, answers and questions, and whether they go with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from eft_integrations.tiny import names, tasks
from eft_integrations.tiny.chatml import Turn
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.framing import ASKED, TEXTS, fixed, framed
from eft_integrations.tiny.reading import Text, drawn, laid_out
from eft_integrations.tiny.wording import capitalised

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


def swapped_in(text: str, old: str, new: str) -> str:
    """The text with another word in the place of the first ``old``, at its beginning too."""
    found = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, text, count=1)
    if found == text and text.startswith(capitalised(old)):
        return capitalised(new) + text[len(old) :]
    return found


@dataclass(frozen=True)
class _Verdict:
    """The form of a verdict as the prompt tells it, and both verdicts in it."""

    told: str
    good: str
    bad: str


def _verdict(style: str, rng: Random) -> _Verdict:
    if style == "relevant" or rng.random() < 0.75:
        good, bad = rng.choice(tasks.VERDICTS)
        return _Verdict(rng.choice(tasks.VERDICT_FORMS).format(g=good, b=bad), good, bad)
    bad, good = rng.choice((("1", "5"), ("1", "5"), ("1", "5"), ("0", "10"), ("1", "10")))
    told = rng.choice(tasks.SCORE_FORMS).format(g=good, b=bad)
    if rng.random() < 0.5:
        return _Verdict(told + " Only the number.", good, bad)
    lines = ("The text says the same.", "The text does not say this.")
    good, bad = (f"{mark}\n{line}" for mark, line in zip((good, bad), lines, strict=True))
    return _Verdict(told + rng.choice(tasks.FEEDBACKS), good, bad)


def _claim(text: Text, rng: Random, *, is_good: bool) -> str | None:
    """What a text says, in its words or others; or the same with another value, or another text's.

    None where no sentence holds the value that was drawn.
    """
    if not is_good and rng.random() < 0.3:
        _, value, other = foreign(text, rng)
        return next((s for s in sentences(" ".join(other.lines)) if value in s), None)
    if text.retold and rng.random() < 0.5:
        ways, value = rng.choice(text.retold)
        said = capitalised(rng.choice(ways))
    else:
        value = rng.choice(text.asks)[1]
        holding = [s for s in sentences(" ".join(text.lines)) if swapped_in(s, value, "") != s]
        if not holding:
            return None
        said = rng.choice(holding)
    told = said if is_good else swapped_in(said, value, swapped(value, text, rng))
    return told if is_good or told != said else None


def _brought(text: Text, style: str, rng: Random, *, is_good: bool) -> tuple[str, ...]:
    """What is held against the text, in the order of its labels."""
    if style == "claim":
        while True:
            claim = _claim(text, rng, is_good=is_good)
            if claim:
                return (claim,)
    asked, value = rng.choice(text.asks)
    if style == "relevant":
        return (asked if is_good else foreign(text, rng)[0],)
    if not is_good:
        value = swapped(value, text, rng)
        if rng.random() < 0.25:
            asked, value, _ = foreign(text, rng)
    told = rng.choice(("{}", "{}.", "It is {}.", "The answer is {}.")).format(value)
    return asked, told


_WORDINGS = {"claim": tasks.CLAIMED, "answer": tasks.ANSWERED, "relevant": tasks.RELEVANT}
_LABELS = {
    "claim": (("Statement", "Claim", "Said", "Sentence", "Assertion"),),
    "answer": (ASKED, ("Answer", "Reply", "Response", "Given answer")),
    "relevant": (ASKED,),
}


def _holds(text: Text) -> bool:
    """Whether some sentence of the text has a value that can be claimed."""
    told = sentences(" ".join(text.lines))
    return any(swapped_in(s, value, "") != s for _, value in text.asks for s in told)


def judgements(rng: Random, num: int) -> Iterator[Exercise]:
    """A text, and `num` claims, answers or questions that it bears out or not, with the verdicts.

    The first exercise is the whole prompt, the others bring what is to be judged next.
    """
    style = rng.choice(("claim", "claim", "answer", "answer", "relevant"))

    def text_of() -> Text:
        while True:
            text = drawn(rng, rng.choice((1, 1, 2, 2, 3)))
            if style != "claim" or _holds(text):
                return text

    text, verdict = text_of(), _verdict(style, rng)
    labels = [rng.choice(some) for some in _LABELS[style]]
    shown = []
    if rng.random() < 0.3:
        for is_good in rng.choice(((True,), (False,), (True, False), (False, True))):
            other = drawn(rng, 1) if style != "claim" else text_of()
            told = _brought(other, style, rng, is_good=is_good)
            page = " ".join(other.lines)
            shown.append(((page, *told), verdict.good if is_good else verdict.bad))
    for number in range(num):
        is_good = rng.random() < 0.5
        told = _brought(text, style, rng, is_good=is_good)
        lines = "\n".join(f"{la}: {t}" for la, t in zip(labels, told, strict=True))
        turns: tuple[Turn, ...] = (Turn("user", lines),)
        if number == 0:
            page = laid_out(rng, text.lines)
            sections: list[tuple[tuple[str, ...], str]] = [(TEXTS, page)]
            sections += [((la,), t) for la, t in zip(labels, told, strict=True)]
            turns = framed(rng, _WORDINGS[style], sections, verdict.told, shown=shown)
        answer = verdict.good if is_good else verdict.bad
        yield fixed("judging", turns, answer, "good" if is_good else "bad", style)


def judged(rng: Random) -> Exercise:
    """A text, and a claim, an answer or a question that it bears out or not -> the verdict."""
    return next(judgements(rng, 1))
