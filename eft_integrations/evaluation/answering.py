"""Questions × voices → answers, in batches through one engine, saved after each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from eft_integrations.chat import render
from eft_integrations.engine import Engine
from eft_integrations.errors import InvalidRequest
from eft_integrations.evaluation.questions import Question
from eft_integrations.evaluation.record import Answer, Folder, graded
from eft_integrations.evaluation.voices import Voice
from eft_integrations.request import Generation, PerRow

Prompt = dict[str, list[int]]
Pair = tuple[Voice, Question]
Told = Callable[[int], None]

ANSWER_LEN = 256  # tokens, where none were asked for
CHUNK = 64  # answers between two savings


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The questions as one engine's prompts, and how long each answer may be."""

    prompts: Mapping[str, Prompt]
    max_tokens: Mapping[str, int]


def pending(
    voices: Sequence[Voice], questions: Sequence[Question], done: Mapping[tuple[str, str], Answer]
) -> list[Pair]:
    """What is still to be answered; voices of one question beside each other."""
    return [
        (voice, question)
        for question in questions
        for voice in voices
        if (voice.label, question.id) not in done
    ]


def asked(engine: Engine, questions: Sequence[Question], max_tokens: int | None) -> Asked:
    """Render every question, so that one that does not fit is told before the first answer.

    Raises ``InvalidRequest`` naming the question. Without a chat template messages go as plain
    lines.
    """
    role = next(iter(engine.roles.tuned), "base")
    role = role if role in engine.roles.available else "base"
    plain = None
    if not engine.tokenizer(role).chat_template:
        plain = dict.fromkeys(engine.roles.available, "plain")
    prompts: dict[str, Prompt] = {}
    lengths = {}
    for question in questions:
        if plain and (question.tools or any("tool_calls" in m for m in question.messages)):
            raise InvalidRequest(
                f"question {question.id!r} has tools, which {role} cannot be told without a chat "
                f"template; give members with one, or leave the question out"
            )
        prompts[question.id] = render(
            engine, question.messages, question.tools or None, templates=plain
        )
        lengths[question.id] = _answer_len(engine, question, prompts[question.id], max_tokens)
    return Asked(prompts=prompts, max_tokens=lengths)


def answer(
    engine: Engine, pairs: Sequence[Pair], prompts: Asked, folder: Folder, told: Told
) -> None:
    """Answer and save, chunk by chunk; ``told`` hears how many answers came."""
    for chunk in chunks(pairs):
        generations = engine.generate(
            [prompts.prompts[question.id] for _, question in chunk],
            mixture=PerRow([voice.mixture for voice, _ in chunk]),
            max_tokens=PerRow([prompts.max_tokens[question.id] for _, question in chunk]),
        )
        folder.add_answers(
            [_graded(pair, one) for pair, one in zip(chunk, generations, strict=True)]
        )
        told(len(chunk))


def chunks(pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    for start in range(0, len(pairs), CHUNK):
        yield pairs[start : start + CHUNK]


def _answer_len(engine: Engine, question: Question, prompt: Prompt, wanted: int | None) -> int:
    longest = max(map(len, prompt.values()))
    room = engine.context_len - longest
    least = 1 if wanted is None else wanted
    if room < least:
        raise InvalidRequest(
            f"question {question.id!r} has {longest} tokens and the context {engine.context_len}, "
            f"which leaves {max(room, 0)} for the answer, not {least}; shorten it, or lower "
            f"--max-tokens"
        )
    return min(ANSWER_LEN, room) if wanted is None else wanted


def _graded(pair: Pair, generation: Generation) -> Answer:
    voice, question = pair
    return graded(
        question, voice.label, generation.text, generation.finish_reason, generation.token_ids
    )
