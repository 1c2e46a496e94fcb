"""Questions × voices → answers, in batches through one engine, saved after each batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from eft_integrations.chat import ChatRequest, Prepared, events_of, prepare
from eft_integrations.chat.events import CallDelta, CallStart, Problem, TextDelta
from eft_integrations.engine import Engine
from eft_integrations.errors import InvalidRequest
from eft_integrations.evaluation.grades import Said
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
    """The questions as one engine takes them, and how long each answer may be."""

    prepared: Mapping[str, Prepared]
    max_tokens: Mapping[str, int]

    @cached_property
    def prompts(self) -> Mapping[str, Prompt]:
        """The prompts of each question, by role."""
        return {name: dict(one.prompts) for name, one in self.prepared.items()}


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
    lines, and tools that a template passes over are told in words, as in a chat.
    """
    role = next(iter(engine.roles.tuned), "base")
    role = role if role in engine.roles.available else "base"
    plain = None
    if not engine.tokenizer(role).chat_template:
        plain = dict.fromkeys(engine.roles.available, "plain")
    prepared = {one.id: _prepared(engine, one, plain) for one in questions}
    lengths = {
        one.id: _answer_len(engine, one, prepared[one.id].prompt_len, max_tokens)
        for one in questions
    }
    return Asked(prepared=prepared, max_tokens=lengths)


def _prepared(engine: Engine, question: Question, templates: Mapping[str, str] | None) -> Prepared:
    try:
        request = ChatRequest(messages=question.messages, tools=question.tools, templates=templates)
        return prepare(engine, request)
    except InvalidRequest as error:
        raise InvalidRequest(f"question {question.id!r}: {error}") from error


def said(engine: Engine, prepared: Prepared, generation: Generation) -> Said:
    """An answer as the chat room reads it."""
    text, problems, calls = "", list[str](), list[dict[str, object]]()
    names, arguments = dict[int, str](), dict[int, str]()
    for event in events_of(engine, prepared, generation):
        match event:
            case TextDelta():
                text += event.text
            case CallStart():
                names[event.index], arguments[event.index] = event.name, ""
            case CallDelta():
                arguments[event.index] += event.arguments
            case Problem():
                problems.append(event.reason)
                if event.index is not None:
                    del names[event.index]
    for index, name in names.items():
        try:
            calls.append({"name": name, "arguments": json.loads(arguments[index])})
        except (ValueError, RecursionError) as error:
            problems.append(f"the arguments of {name} are no JSON: {error}")
    return Said(text=text, calls=calls, problems=problems)


def answer(
    engine: Engine, pairs: Sequence[Pair], prompts: Asked, folder: Folder, told: Told
) -> None:
    """Answer and save, chunk by chunk; ``told`` hears how many answers came."""
    for chunk in chunks(pairs):
        prepared = [prompts.prepared[question.id] for _, question in chunk]
        generations = engine.generate(
            [dict(one.prompts) for one in prepared],
            mixture=PerRow([voice.mixture for voice, _ in chunk]),
            max_tokens=PerRow([prompts.max_tokens[question.id] for _, question in chunk]),
        )
        folder.add_answers(
            [
                _graded(pair, said(engine, one, generation), generation)
                for pair, one, generation in zip(chunk, prepared, generations, strict=True)
            ]
        )
        told(len(chunk))


def chunks(pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    for start in range(0, len(pairs), CHUNK):
        yield pairs[start : start + CHUNK]


def _answer_len(engine: Engine, question: Question, longest: int, wanted: int | None) -> int:
    room = engine.context_len - longest
    least = 1 if wanted is None else wanted
    if room < least:
        remedy = "shorten it" if wanted is None else "shorten it, or lower --max-tokens"
        raise InvalidRequest(
            f"question {question.id!r} has {longest} tokens and the context {engine.context_len}, "
            f"which leaves {max(room, 0)} for the answer, not {least}; {remedy}"
        )
    return min(ANSWER_LEN, room) if wanted is None else wanted


def _graded(pair: Pair, told: Said, generation: Generation) -> Answer:
    voice, question = pair
    return graded(question, voice.label, told, generation.finish_reason, generation.token_ids)
