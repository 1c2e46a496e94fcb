"""How often the small tuned model alone would have written the up-scaled model's next token.

Teacher-forced: at each position both have seen the same text. High agreement is what makes
speculative decoding fast (arXiv 2310.12962, section 4), and shows where the members differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from eft_integrations.engine import Engine
from eft_integrations.errors import InvalidRequest
from eft_integrations.evaluation.lines import append_lines, read_lines
from eft_integrations.evaluation.questions import FACT, Question
from eft_integrations.evaluation.record import Answer, Folder
from eft_integrations.evaluation.statistics import Share, ratio
from eft_integrations.evaluation.voices import Voice
from eft_integrations.tiny import facts

CHUNK = 64  # answers between two savings
Prompts = Mapping[str, dict[str, list[int]]]


@dataclass(frozen=True, kw_only=True)
class Traced:
    """One answer, token by token: does the drafter agree, and is the token part of the fact?"""

    voice: str
    id: str
    agrees: tuple[bool, ...]
    is_fact: tuple[bool, ...]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Shares of tokens with intervals over answers: of each kind, of all, of fact tokens.

    ``facts`` are the tokens of the expected texts in answers to questions of the kind ``fact``.
    """

    drafter: str
    voice: str
    kinds: Mapping[str, Share]
    all: Share | None
    facts: Share | None


def traced(folder: Folder) -> dict[tuple[str, str], Traced]:
    """What was measured so far, by voice and question."""
    lines = read_lines(folder.agreement_path)
    try:
        found = [_read(line) for line in lines]
    except (KeyError, TypeError) as error:
        raise InvalidRequest(
            f"{folder.agreement_path} was not written here ({error}); delete it"
        ) from error
    return {(one.voice, one.id): one for one in found}


def trace(
    engine: Engine,
    drafter: Voice,
    answers: Sequence[tuple[Question, Answer]],
    prompts: Prompts,
    folder: Folder,
    told: Callable[[int], None],
) -> None:
    """Score each answer under the drafter, and save; ``told`` hears how many were done."""
    for start in range(0, len(answers), CHUNK):
        chunk = answers[start : start + CHUNK]
        scores = engine.score(
            [prompts[question.id] for question, _ in chunk],
            [answer.token_ids for _, answer in chunk],
            mixture=drafter.mixture,
        )
        found = [
            _compared(engine, question, answer, score.greedy_ids)
            for (question, answer), score in zip(chunk, scores, strict=True)
        ]
        append_lines(folder.agreement_path, [asdict(one) for one in found])
        told(len(chunk))


def agreement(
    drafter: str, voice: str, questions: Sequence[Question], found: Mapping[tuple[str, str], Traced]
) -> Agreement | None:
    """The shares over what was traced of one voice; None where nothing was."""
    pairs = [(q, found[voice, q.id]) for q in questions if (voice, q.id) in found]
    if not pairs:
        return None
    kinds = dict.fromkeys(question.kind for question, _ in pairs)
    shares = {kind: _share([one for q, one in pairs if q.kind == kind]) for kind in kinds}
    everything = [one for _, one in pairs]
    stating = [one for question, one in pairs if question.kind == FACT]
    return Agreement(
        drafter=drafter,
        voice=voice,
        kinds={kind: share for kind, share in shares.items() if share},
        all=_share(everything),
        facts=ratio(
            [sum(a and f for a, f in zip(one.agrees, one.is_fact, strict=True)) for one in stating],
            [sum(one.is_fact) for one in stating],
        ),
    )


def on_facts(spans: Sequence[tuple[int, int]], text: str, answers: Sequence[str]) -> list[bool]:
    """Which tokens, given as spans of characters, overlap one of the answers in the text."""
    places = [place for answer in answers for place in facts.places(text, answer)]
    return [any(start < last and first < end for first, last in places) for start, end in spans]


def _share(found: Sequence[Traced]) -> Share | None:
    return ratio([sum(one.agrees) for one in found], [len(one.agrees) for one in found])


def _compared(
    engine: Engine, question: Question, answer: Answer, greedy_ids: Sequence[int]
) -> Traced:
    ids = answer.token_ids
    is_fact = [False] * len(ids)
    if question.answers:
        text, spans = _spans(engine, ids)
        is_fact = on_facts(spans, text, question.answers)
    return Traced(
        voice=answer.voice,
        id=answer.id,
        agrees=tuple(one == other for one, other in zip(ids, greedy_ids, strict=True)),
        is_fact=tuple(is_fact),
    )


def _spans(engine: Engine, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """The text of these tokens, and the characters of it that each token brought."""
    tokenizer = engine.tokenizer()
    texts = [
        str(
            tokenizer.decode(
                ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )
        for end in range(len(ids) + 1)
    ]
    return texts[-1], [(len(before), len(after)) for before, after in pairwise(texts)]


def _read(line: Mapping[str, Any]) -> Traced:
    return Traced(
        voice=line["voice"],
        id=line["id"],
        agrees=tuple(line["agrees"]),
        is_fact=tuple(line["is_fact"]),
    )
