"""Made-up answers with known numbers, for what is computed from them."""

from __future__ import annotations

from collections.abc import Callable

from eft_integrations.evaluation import Coefficients, Lineup, Question, line_up
from eft_integrations.evaluation.record import Answer
from eft_integrations.evaluation.voices import Voice
from eft_integrations.mixture import Roles

ONE = Roles(
    tuned=("tuned",),
    reference_of={"tuned": "reference"},
    available=("base", "tuned", "reference"),
)
TWO = Roles(
    tuned=("helpful", "harmless"),
    reference_of={"helpful": "reference", "harmless": "reference"},
    available=("base", "helpful", "harmless", "reference"),
)

Answers = dict[tuple[str, str], Answer]


def lineup(roles: Roles = ONE, *, has_ceiling: bool = True, **asked: tuple[float, ...]) -> Lineup:
    return line_up(roles, Coefficients(**asked), has_ceiling=has_ceiling)


def items(kind: str, num: int, tags: tuple[str, ...] = ()) -> list[Question]:
    return [Question(id=f"{kind}{n}", kind=kind, messages=(), tags=tags) for n in range(num)]


def made(
    voice: str, question: Question, *, right: bool | None = None, form: bool = True, text: str = ""
) -> Answer:
    return Answer(
        voice=voice,
        id=question.id,
        text=text,
        calls=(),
        problems=(),
        finish_reason="stop",
        num_tokens=1,
        token_ids=(0,),
        right=right,
        form=form,
        failed=(),
    )


def answered(
    voices: tuple[Voice, ...],
    questions: list[Question],
    answer: Callable[[Voice, Question, float], Answer],
) -> Answers:
    """Every voice to every question; ``answer`` also hears how far through its kind a question is:
    from 0 to just under 1, so that ``position < 0.3`` is 30 % of the kind."""
    by_kind: dict[str, list[Question]] = {}
    for question in questions:
        by_kind.setdefault(question.kind, []).append(question)
    return {
        (voice.label, question.id): answer(voice, question, number / len(kind))
        for kind in by_kind.values()
        for number, question in enumerate(kind)
        for voice in voices
    }
