"""Generation keywords of a task → the engine's ``Sampling``. Knows nothing of the harness."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eft_integrations import checks
from eft_integrations.errors import InvalidRequest, refuse_unknown
from eft_integrations.request import Sampling

# The first that is given wins, in the harness's own order.
_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_OF_A_DRAW = ("temperature", "top_p", "top_k", "min_p", "seed")
_PENALTIES = ("repetition_penalty", "presence_penalty", "frequency_penalty")
KNOWN = frozenset({"until", "do_sample", "num_beams", *_LENGTHS, *_OF_A_DRAW, *_PENALTIES})


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How one text is written, and the strings that end it (cut off, and never shown)."""

    sampling: Sampling
    until: tuple[str, ...]

    def cut(self, text: str) -> str:
        """``text`` up to the first of the strings that end it."""
        found = [at for at in map(text.find, self.until) if at >= 0]
        return text[: min(found)] if found else text


@dataclass(frozen=True)
class Draw:
    """What a text is drawn by."""

    context: str
    seed: int


def writing(keywords: Mapping[str, Any], *, end: str, max_tokens: int) -> Writing:
    """The writing that a task asks for; ``end`` is the text of the end token.

    As in the harness, ``do_sample: false`` is greedy whatever the temperature, and no ``do_sample``
    samples where the temperature is above 0. Raises ``UnknownOption`` or ``InvalidRequest``.
    """
    refuse_unknown("generation keyword", keywords, KNOWN)
    if keywords.get("num_beams", 1) != 1:
        raise InvalidRequest(
            f"num_beams must be 1, got {keywords['num_beams']!r}; the engine has no beam search"
        )
    until = tuple(dict.fromkeys((*_until(keywords.get("until")), end)))
    lengths = [keywords[name] for name in _LENGTHS if keywords.get(name) is not None]
    given = {name: keywords[name] for name in _PENALTIES if keywords.get(name) is not None}
    sampling = Sampling(
        **given,
        **_draw(keywords),
        stop=until,
        max_tokens=lengths[0] if lengths else max_tokens,
    )
    return Writing(sampling=sampling, until=until)


def _until(until: Any) -> tuple[str, ...]:
    """Tasks write "" where they mean no string at all."""
    items = [until] if until is None or isinstance(until, str) else until
    return checks.strings("until", [item for item in items if item not in (None, "")])


def _draw(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a draw; nothing where the text is greedy."""
    temperature = checks.number("temperature", keywords.get("temperature") or 0.0, low=0)
    do_sample = keywords.get("do_sample")
    if checks.flag("do_sample", temperature > 0 if do_sample is None else do_sample):
        if temperature == 0:
            raise InvalidRequest(
                "do_sample=True needs a temperature above 0, got "
                f"{keywords.get('temperature')!r}; give temperature=1.0, or do_sample=False"
            )
        given = {name: keywords[name] for name in _OF_A_DRAW if keywords.get(name) is not None}
        # transformers turns the filter off with 0
        return {name: value for name, value in given.items() if (name, value) != ("top_k", 0)}
    return {}


def seeds(rows: Iterable[Draw]) -> Iterator[int]:
    """A seed for each draw, by its context, its own seed and how often both came before.

    So a repeated request draws anew, and a text depends on nothing else that runs.
    """
    seen: Counter[Draw] = Counter()
    for row in rows:
        text = f"{row.seed} {seen[row]} {row.context}"
        seen[row] += 1
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
        yield int.from_bytes(digest[:7], "big")
