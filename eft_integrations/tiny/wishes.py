"""Wordings of requests to tools: those of the question sets, and the many of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Wishes:
    """Tables of wordings. {r} is what is wanted, {p} a parameter, {v} its value, {t} the tool."""

    leads: Sequence[str]
    by_name: Sequence[str]
    named: Sequence[str]
    afterthoughts: Sequence[str]
    joints: Sequence[str]  # between requests that are made at once
    links: Sequence[str]  # between what is wanted and all values
    before: Sequence[str]  # before a value that stands without its parameter's name


USUAL = Wishes(
    leads=(
        "Please {r}.",
        "Can you {r}?",
        "Could you {r}, please?",
        "I want you to {r}.",
        "I need to {r}.",
        "{R}.",
        "{R}, please.",
        "Would you {r}?",
        "Help me {r}.",
        "I would like to {r}.",
    ),
    by_name=(
        "Use {t}{a}.",
        "Call {t}{a}.",
        "Run {t}{a}, please.",
        "Please use the {t} tool{a}.",
        "What does {t} give{a}?",
        "Try {t}{a}.",
        "I need the result of {t}{a}.",
    ),
    named=(
        "{p} {v}",
        "the {p} {v}",
        "{p} set to {v}",
        "{p} = {v}",
        "{v} as the {p}",
        "{v} as {p}",
        "{p}: {v}",
        "a {p} of {v}",
    ),
    afterthoughts=(
        "The {p} is {v}.",
        "Set the {p} to {v}.",
        "The {p} should be {v}.",
        "{P}: {v}.",
        "Take {v} as the {p}.",
    ),
    joints=(" ", " Then: ", " And then: ", "\n", " Also: "),
    links=(" with {}", " with {}", " using {}", " ({})", " for {}"),
    before=("for", "in", "of", "to", "from", "at", "on", "with", "about", "called"),
)
VARIED = Wishes(
    leads=(
        *USUAL.leads,
        "I'd like you to {r}.",
        "I'd like to {r}.",
        "Let's {r}.",
        "Time to {r}.",
        "We have to {r}.",
        "We need to {r} today.",
        "It would be great if you could {r}.",
        "Would you mind trying to {r}?",
        "Is it possible to {r}?",
        "Is there a way to {r}?",
        "How about you {r}?",
        "You should {r} now.",
        "Go ahead and {r}.",
        "Be so kind and {r}.",
        "{R} for me.",
        "{R} right away!",
        "{R} when you have a moment.",
        "{R}, would you?",
        "{R}, thanks.",
        "{R}",
        "pls {r}",
        "hey, {r}",
        "Hi! Can you {r} for me?",
        "ok now {r}",
        "Next task: {r}.",
        "To do: {r}.",
        "My boss asks me to {r}.",
        "My wish is to {r}.",
        "I have been asked to {r}.",
        "I was wondering if you could {r}.",
        "I am trying to {r}.",
        "What I need is to {r}.",
        "Do me a favour and {r}.",
        "Somebody has to {r}. Can you?",
        "Don't forget to {r}.",
        "Make sure to {r}.",
        "Your job: {r}.",
        "Kindly {r}.",
        "It is time to {r}, so please do.",
        "May I ask you to {r}?",
        "Are you able to {r}?",
        "Quickly {r}!",
    ),
    by_name=(
        *USUAL.by_name,
        "Invoke {t}{a}.",
        "{t}{a}",
        "Execute {t}{a}.",
        "Do a {t}{a}.",
        "Could you run {t}{a}?",
        "Let {t} do its work{a}.",
        "Start {t}{a} for me.",
        "A call to {t}{a}, please.",
        "What comes out of {t}{a}?",
        "{t} is what I need{a}.",
        "Make a call of {t}{a}.",
    ),
    named=(
        *USUAL.named,
        "{p} being {v}",
        "{v} for the {p}",
        "{v} for {p}",
        "{p} is {v}",
        "{v} ({p})",
        "{p} → {v}",
        "{p}={v}",
        "{p} of {v}",
        "a {p} that is {v}",
        "{p} should be {v}",
        "with {p} {v}",
        "{v} being the {p}",
        "{p} at {v}",
        "{p} - {v}",
    ),
    afterthoughts=(
        *USUAL.afterthoughts,
        "Use {v} for the {p}.",
        "For the {p}, take {v}.",
        "As {p} I want {v}.",
        "My {p} is {v}.",
        "{P} = {v}.",
        "{v} is the {p}.",
        "Its {p}: {v}.",
        "I'd say {v} for the {p}.",
        "{P} should be {v}.",
        "Let the {p} be {v}.",
        "With {v} as its {p}.",
    ),
    joints=(
        *USUAL.joints,
        " After that: ",
        " Besides: ",
        " Second: ",
        "\n\n",
        "\n- ",
        " Next: ",
        " One more thing: ",
        " And: ",
        " When that is done: ",
        "\nthen\n",
    ),
    links=(
        *USUAL.links,
        ": {}",
        ", {}",
        " - {}",
        " (that is, {})",
        " and take {}",
        ". Use {}",
        " given {}",
        "\n{}",
    ),
    before=(
        *USUAL.before,
        "by",
        "near",
        "named",
        "as",
        "under",
        "around",
        "-",
        "into",
        "namely",
    ),
)
# Sentences before and after a request that hold nothing a tool could take.
_BEFORE = (
    "I am in a hurry.",
    "Sorry to bother you again.",
    "I hope you are well.",
    "Hi there!",
    "Hello!",
    "Good morning.",
    "I have been thinking about this all week.",
    "It has been a long day.",
    "My colleague is ill, so I have to do it.",
    "You helped me well last time.",
    "I tried it myself and failed.",
    "I am not good at this.",
    "We spoke about it before.",
    "My phone is almost out of power.",
    "It is raining again.",
    "Everybody is waiting.",
    "I have no idea how to do that.",
    "This has waited long enough.",
    "You are my last hope.",
    "Nobody else has time for it.",
    "Sorry for the short message.",
    "I just woke up.",
)
_AFTER = (
    "Thanks in advance.",
    "Thank you so much!",
    "There is no hurry.",
    "Let me know how it went.",
    "That would be lovely.",
    "I hope that is possible.",
    "I will be back soon.",
    "No long explanations, please.",
    "You know what I mean.",
    "I nearly forgot about it.",
    "That's all.",
    "It would help me a lot.",
    "The others could not help me.",
)
_SHARE_ASIDES = 0.2


def drawn_wishes(rng: Random) -> Wishes:
    """Mostly the varied wordings, and those of the question sets too."""
    return USUAL if rng.random() < 0.25 else VARIED


def with_aside(asked: str, rng: Random) -> str:
    """The request, in a fifth of the cases with a sentence that has nothing to do with it."""
    if rng.random() >= _SHARE_ASIDES:
        return asked
    if rng.random() < 0.5:
        return f"{rng.choice(_BEFORE)} {asked}"
    return f"{asked}{'' if asked[-1:] in '.?!' else '.'} {rng.choice(_AFTER)}"
