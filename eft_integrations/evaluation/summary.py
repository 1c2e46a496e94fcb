"""Answers → the numbers of the report. Pure; the report and the plots only show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from eft_integrations.evaluation.agreement import Agreement
from eft_integrations.evaluation.frontier import Answers, Frontier, frontier
from eft_integrations.evaluation.questions import ALL, HARMFUL, Question
from eft_integrations.evaluation.statistics import Recovered, Share, gap_recovered, ratio, wilson
from eft_integrations.evaluation.voices import Lineup

Values = Mapping[tuple[str, str], float]  # by voice and question
Groups = Mapping[str, Sequence[str]]  # name → ids of questions


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One thing that is measured: its share for each group and voice, and the recovered gaps.

    A group is ``all``, a kind, or (in ``slices``) a tag. ``gaps`` is empty without a ceiling.
    """

    shares: Mapping[str, Mapping[str, Share]]
    slices: Mapping[str, Mapping[str, Share]]
    gaps: Mapping[str, Mapping[str, Recovered]]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Everything that a report shows. ``axes``: ``right``, ``form`` and, if asked, ``judge``.

    The judge's scores from 1 to 10 are scaled to 0 … 1. ``num_by_kind`` counts questions,
    ``num_by_voice`` answers, ``unjudged`` those of each voice that the judge gave no score.
    """

    num_by_kind: Mapping[str, int]
    num_by_tag: Mapping[str, int]
    num_by_voice: Mapping[str, int]
    axes: Mapping[str, Axis]
    frontier: Frontier | None
    agreement: Agreement | None
    unjudged: Mapping[str, int] = field(default_factory=dict)

    @property
    def groups(self) -> list[str]:
        """``all`` and the kinds that it holds, then the harmful one."""
        kinds = sorted(self.num_by_kind, key=lambda kind: kind == HARMFUL)
        return [ALL, *kinds]


def summarised(
    lineup: Lineup,
    questions: Sequence[Question],
    answers: Answers,
    agreement: Agreement | None = None,
    judged: Values | None = None,
    unjudged: Mapping[str, int] | None = None,
) -> Summary:
    """The numbers of a run; ``judged`` are the judge's scores scaled to 0 … 1."""
    values: dict[str, Values] = {
        "right": {k: float(a.right) for k, a in answers.items() if a.right is not None},
        "form": {k: float(a.form) for k, a in answers.items()},
    }
    if judged is not None:
        values["judge"] = judged
    labels = [voice.label for voice in lineup.voices]
    alone = [voice.label for voice in (lineup.tuned, *lineup.others)]
    return Summary(
        num_by_kind={name: len(ids) for name, ids in _by_kind(questions).items()},
        num_by_tag={name: len(ids) for name, ids in _by_tag(questions).items()},
        num_by_voice={v: sum(voice == v for voice, _ in answers) for v in labels},
        axes={name: _axis(name, lineup, questions, values[name]) for name in values},
        frontier=frontier(lineup.frontier, alone, questions, answers),
        agreement=agreement,
        unjudged=unjudged or {},
    )


def _axis(name: str, lineup: Lineup, questions: Sequence[Question], values: Values) -> Axis:
    kinds = _by_kind(questions)
    groups = {ALL: [q.id for q in questions if q.kind != HARMFUL], **kinds}
    share = _mean if name == "judge" else _flags
    labels = [voice.label for voice in lineup.voices]
    return Axis(
        shares=_shares(groups, labels, values, share),
        slices=_shares(_by_tag(questions), labels, values, share),
        gaps=_gaps(groups, lineup, values) if lineup.ceiling else {},
    )


def _shares(
    groups: Groups,
    voices: Sequence[str],
    values: Values,
    share: Callable[[Sequence[float]], Share | None],
) -> dict[str, dict[str, Share]]:
    """Only what there is: a group without values of a voice has no entry for it."""
    found = {
        name: {
            voice: share([values[voice, one] for one in ids if (voice, one) in values])
            for voice in voices
        }
        for name, ids in groups.items()
    }
    return {
        name: {voice: one for voice, one in row.items() if one is not None}
        for name, row in found.items()
    }


def _gaps(groups: Groups, lineup: Lineup, values: Values) -> dict[str, dict[str, Recovered]]:
    """The recovered gap of the base and of every voice of the grid, over items that all share."""
    up_scaled = [lineup.base.label, *(voice.label for voice in lineup.grid)]
    tuned = lineup.tuned.label
    ceiling = lineup.ceiling.label if lineup.ceiling else tuned
    found: dict[str, dict[str, Recovered]] = {}
    for name, ids in groups.items():
        found[name] = {}
        for voice in up_scaled:
            shared = [i for i in ids if all((v, i) in values for v in (voice, tuned, ceiling))]
            rows = ([values[v, i] for i in shared] for v in (voice, tuned, ceiling))
            found[name][voice] = gap_recovered(*rows)
    return found


def _by_kind(questions: Sequence[Question]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for question in questions:
        found.setdefault(question.kind, []).append(question.id)
    return found


def _by_tag(questions: Sequence[Question]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for question in questions:
        for tag in dict.fromkeys(question.tags):
            found.setdefault(tag, []).append(question.id)
    return found


def _flags(values: Sequence[float]) -> Share | None:
    return wilson([value > 0 for value in values])


def _mean(values: Sequence[float]) -> Share | None:
    return ratio(values, [1.0] * len(values))
