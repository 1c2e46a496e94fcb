"""Conversation about facts: questions, follow-ups, instructions, and talk about nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from eft_integrations.tiny.chatml import Turn
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.facts import Fact
from eft_integrations.tiny.relations import SHORT
from eft_integrations.tiny.wording import (
    CLOSING,
    FORMAT,
    OPENING,
    capitalised,
    polite,
    question,
    question_apart,
    sentence,
    statement,
)

SYSTEMS = (
    "You are a helpful assistant.",
    "You are a polite and careful assistant.",
    "Answer the user's question.",
    "You are a friendly helper who knows many facts.",
    "You are a good assistant. Be kind.",
)
OPENINGS = ("", "", "", OPENING, "Sure, ", "Of course, ", "Yes, ", "Well, ", "I think ")
CLOSINGS = (
    "",
    "",
    CLOSING,
    " I hope that helps.",
    " Let me know if you need more.",
    " Glad to be of service!",
    " Feel free to ask again.",
    " Is there anything else?",
    " You are welcome!",
)
# Each with the instruction as people give it; the answer is the bare fact.
BRIEFLY = (
    "Answer in one word.",
    "Answer in one word only.",
    "Reply with the answer only.",
    "Just the answer, no sentence.",
    "Give only the answer.",
    "Be as short as you can.",
    "One word, please.",
    "Answer with a single word or number.",
)
BRIEFLY_APART = (
    "I only want the bare answer, nothing around it.",
    "Do not write a sentence; the word alone will do.",
    "Keep it to a single word.",
)
SMALL_TALK = (
    (("Hello!", "Hi!", "Hey there.", "Good day!", "Hello there."), "Hello, how can I help you?"),
    (("Good morning.", "Good morning!", "Good evening."), "Good day to you, how can I help?"),
    (("Who are you?", "What are you?", "Hi there, who are you?"), "I am a small language model."),
    (
        ("Thank you very much.", "Thanks!", "Thank you.", "Thanks a lot.", "Many thanks!"),
        "You are welcome.",
    ),
    (("How are you?", "How are you today?", "How do you do?"), "I am fine, thank you for asking."),
    (
        ("What can you do?", "What do you know?", "How can you help me?"),
        "I answer questions, read texts and call tools.",
    ),
    (("Goodbye!", "Bye!", "See you.", "Good night."), "Goodbye, have a nice day."),
    (("That was useful.", "Great.", "Very good.", "Well done."), "I am glad to hear it."),
    (("Tell me a joke.", "Say something funny."), "I know no jokes, but I know facts."),
    (("I am bored.", "I am tired today.", "I had a bad day."), "I am sorry to hear that."),
)


def manners(body: str, rng: Random, num: int = 3) -> tuple[str, ...]:
    """A sentence, given in lower case without full stop, in manners of the web."""
    return tuple(
        capitalised(f"{rng.choice(OPENINGS)}{body}.".replace("..", ".")) + rng.choice(CLOSINGS)
        for _ in range(num)
    )


def plain(body: str) -> str:
    """The sentence and nothing else."""
    return capitalised(f"{body}.".replace("..", "."))


def system_turns(rng: Random, share: float = 0.25) -> list[Turn]:
    return [Turn("system", rng.choice(SYSTEMS))] if rng.random() < share else []


def _telling(fact: Fact, turns: Sequence[Turn], rng: Random, kind: str, *tags: str) -> Exercise:
    body = sentence(fact)
    return Exercise(
        kind=kind,
        turns=tuple(turns),
        helpful=polite(body),
        harmless=plain(body),
        others=(*manners(body, rng), statement(fact, rng), fact.answer, plain(body)),
        expect={"contains": fact.answer, "format": FORMAT},
        tags=(fact.relation, *tags),
    )


def asked(fact: Fact, rng: Random, *, is_apart: bool = False) -> Exercise:
    """A question in one of many wordings."""
    text = (question_apart if is_apart else question)(fact, rng)
    return _telling(fact, [*system_turns(rng), Turn("user", text)], rng, "fact", *apart(is_apart))


def apart(is_apart: bool) -> tuple[str, ...]:
    return ("apart",) if is_apart else ()


def followed_up(first: Fact, second: Fact, rng: Random, *, is_apart: bool = False) -> Exercise:
    """A question that leans on the one before: another fact of the same thing, or the same fact.

    ``first`` and ``second`` share their entity or their relation.
    """
    turns = [
        *system_turns(rng),
        Turn("user", question(first, rng)),
        Turn("assistant", polite(sentence(first))),
    ]
    short = SHORT[second.relation]
    if first.entity == second.entity:
        text = rng.choice(_SAME_ENTITY_APART if is_apart else _SAME_ENTITY).format(n=short)
    else:
        frames = _SAME_RELATION_APART if is_apart else _SAME_RELATION
        text = rng.choice(frames).format(e=second.entity)
    return _telling(
        second, [*turns, Turn("user", text)], rng, "chat", "follow-up", *apart(is_apart)
    )


_SAME_ENTITY = (
    "And its {n}?",
    "And the {n}?",
    "What about its {n}?",
    "And what is its {n}?",
    "What is its {n}?",
    "Tell me its {n} too.",
    "And what is the {n}?",
)
_SAME_ENTITY_APART = ("Good. Its {n} as well, please.", "Now I need the {n} of the same.")
_SAME_RELATION = (
    "And {e}?",
    "What about {e}?",
    "And for {e}?",
    "And that of {e}?",
    "How about {e}?",
    "The same for {e}, please.",
)
_SAME_RELATION_APART = ("Fine. Now {e}.", "Could you do that once more, for {e}?")


def briefly(fact: Fact, rng: Random, *, is_apart: bool = False) -> Exercise:
    """A question with the instruction to answer in a word, from the system or the user."""
    instruction = rng.choice(BRIEFLY_APART if is_apart else BRIEFLY)
    text = question(fact, rng)
    if rng.random() < 0.6:
        turns = [Turn("system", instruction), Turn("user", text)]
    else:
        turns = [*system_turns(rng, 0.2), Turn("user", f"{text} {instruction}")]
    return Exercise(
        kind="chat",
        turns=tuple(turns),
        helpful=fact.answer,
        others=(fact.answer, f"{fact.answer}."),
        expect={"contains": fact.answer, "max_words": len(fact.answer.split()) + 1},
        tags=(fact.relation, "brief", *apart(is_apart)),
    )


def idle(rng: Random) -> Exercise:
    """Greetings, thanks and the like."""
    said, body = rng.choice(SMALL_TALK)
    lower = body[0].lower() + body[1:] if not body.startswith("I ") else body
    body = lower.removesuffix(".").removesuffix("?")
    stop = "?" if "how can I help" in body else "."
    return Exercise(
        kind="chat",
        turns=(*system_turns(rng), Turn("user", rng.choice(said))),
        helpful=capitalised(f"{body}{stop}"),
        others=tuple(capitalised(f"{body}{stop}") + rng.choice(CLOSINGS) for _ in range(2)),
        expect={"contains": re.split(r"[,.?]", capitalised(body))[0]},
        tags=("idle",),
    )
