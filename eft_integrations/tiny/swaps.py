"""Words that nobody expects, in the place of those that an answer copies: copied means read.

Every list of words ends, and a model that has learnt it writes its words where others stand
("greyhound" becomes another grey animal). Exchanged wherever they occur in a document, question and
answer alike, they leave nothing to go by but the text.
"""

from __future__ import annotations

import re
from functools import cache
from random import Random

from eft_integrations.tiny import names
from eft_integrations.tiny.chatml import TURN_END, TURN_START
from eft_integrations.tiny.draws import MATERIAL
from eft_integrations.tiny.facts import all_facts

_WORD = re.compile(r"[^\W\d_]{4,}")
_LATIN = re.compile(r"[a-z]{4,11}")
_ASSISTANT = re.compile(f"{re.escape(TURN_START)}assistant\n(.*?){re.escape(TURN_END)}", re.DOTALL)
# What keys and names of tools mean is how a value is found: they stay, unless the user says them.
_LABEL = re.compile(r'"([^"]+)":|"name": "([^"]+)"')
_USER = re.compile(f"{re.escape(TURN_START)}user\n(.*?){re.escape(TURN_END)}", re.DOTALL)
_QUOTED = re.compile(r'"[^"\n]*"')
# What answers are made of, and what tools and schemas are written in.
_KEPT = frozenset(
    "name arguments tool call tools function functions parameters properties type string integer "
    "number boolean array object required description enum items true false null none user system "
    "assistant response text does know since answer context contain that hope helps unknown".split()
)


@cache
def _vocabulary() -> tuple[str, ...]:
    """Lower-case words of the written material, without those that name what facts are about."""
    named = {
        word.lower()
        for fact in all_facts()
        for word in _WORD.findall(f"{fact.entity} {fact.answer}")
    }
    text = "\n".join(file.read_text("utf-8") for file in sorted(MATERIAL.glob("*.jsonl")))
    return tuple(sorted(set(_LATIN.findall(text)) - named - _KEPT))


def _unexpected(rng: Random) -> str:
    """A word from elsewhere, the halves of two, or one that means nothing."""
    form = rng.random()
    if form < 0.35:
        return rng.choice(_vocabulary())
    if form < 0.75:
        first, second = rng.sample(_vocabulary(), 2)
        return first[: rng.randint(2, 5)] + second[-rng.randint(2, 5) :]
    return names.invented_word(rng, 2, 3)


def swapped(text: str, rng: Random) -> str:
    """A conversation with up to five words exchanged that stand both in answers and before them."""
    told = " ".join(_ASSISTANT.findall(text))
    asked = {word.lower() for word in _WORD.findall(_ASSISTANT.sub(" ", text))}
    shared = dict.fromkeys(word.lower() for word in _WORD.findall(told))
    labels = set(_WORD.findall(" ".join(a + " " + b for a, b in _LABEL.findall(told)).lower()))
    spoken = set(_WORD.findall(_QUOTED.sub(" ", " ".join(_USER.findall(text))).lower()))
    kept = _KEPT | (labels - spoken)
    words = [word for word in shared if word in asked and word not in kept]
    new: dict[str, str] = {}
    for word in rng.sample(words, min(len(words), rng.choice((1, 2, 2, 3, 4, 5)))):
        while (other := _unexpected(rng)) in asked or other in new.values():
            pass
        new[word] = other

    def exchanged(match: re.Match[str]) -> str:
        word = match[0]
        other = new.get(word.lower())
        if other is None:
            return word
        return (
            other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other
        )

    return _WORD.sub(exchanged, text)
