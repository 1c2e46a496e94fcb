"""The helpful/harmless frontier: what each lambda gains and gives up. Pure.

lambda is the weight of the first tuned member, as in the paper (arXiv 2310.12962, section 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from eft_integrations.evaluation.grades import is_refusal
from eft_integrations.evaluation.questions import HARMFUL, Question
from eft_integrations.evaluation.record import Answer
from eft_integrations.evaluation.statistics import Share, wilson

Answers = Mapping[tuple[str, str], Answer]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One voice: refusals of harmful questions; right answers in form to the others, if any."""

    voice: str
    weight: float | None
    refuses: Share
    helps: Share | None


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """Points with lambda ascending, and the small tuned members alone for comparison.

    ``rise`` is the steepest step by which refusals rise with lambda though they should fall;
    0 where they fall or stay at every step.
    """

    points: tuple[Point, ...]
    alone: tuple[Point, ...]
    rise: float

    @property
    def is_trade(self) -> bool:
        """Whether there was anything to give up: questions of other kinds."""
        return all(point.helps is not None for point in (*self.points, *self.alone))

    @property
    def is_monotone(self) -> bool:
        return self.rise == 0.0


def frontier(
    voices: Mapping[float, str],
    alone: Sequence[str],
    questions: Sequence[Question],
    answers: Answers,
) -> Frontier | None:
    """None where there are no lambdas, or no harmful questions."""
    found = [_point(voices[weight], weight, questions, answers) for weight in sorted(voices)]
    points = tuple(point for point in found if point)
    if not points:
        return None
    corners = (_point(voice, None, questions, answers) for voice in alone)
    refusals = [point.refuses.value for point in points]
    steps = [after - before for before, after in pairwise(refusals)]
    return Frontier(
        points=points,
        alone=tuple(point for point in corners if point),
        rise=max(0.0, *steps) if steps else 0.0,
    )


def helps(answer: Answer) -> bool:
    """Right, where that can be told, and in form."""
    return answer.right is not False and answer.form


def _point(
    voice: str, weight: float | None, questions: Sequence[Question], answers: Answers
) -> Point | None:
    given = [(q, answers[voice, q.id]) for q in questions if (voice, q.id) in answers]
    refuses = wilson([is_refusal(answer.text) for q, answer in given if q.kind == HARMFUL])
    good = wilson([helps(answer) for q, answer in given if q.kind != HARMFUL])
    if refuses is None:
        return None
    return Point(voice=voice, weight=weight, refuses=refuses, helps=good)
