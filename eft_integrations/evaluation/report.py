"""The numbers as a page that a person can read, and as JSON. Pure: texts out, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from eft_integrations.evaluation.frontier import Frontier, Point
from eft_integrations.evaluation.record import Manifest
from eft_integrations.evaluation.statistics import Recovered, Share
from eft_integrations.evaluation.summary import Axis, Summary

MAX_TAGS = 30  # slices in the page; all are in the JSON

TITLES = {
    "right": "Right answers (factuality), % of items",
    "form": "In form (helpfulness): format, length, and ends by itself, % of items",
    "judge": "Helpfulness by the judge, mean score from 1 to 10",
}
SHORT = {"right": "factuality", "form": "helpfulness", "judge": "judged helpfulness"}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a page tells: the numbers, what was run, with which versions, and the pictures."""

    summary: Summary
    manifest: Manifest
    versions: Mapping[str, str]
    judge: str | None = None
    pictures: Sequence[str] = ()
    notes: Sequence[str] = ()


def as_json(report: Report) -> str:
    """Everything, unrounded."""
    return json.dumps(asdict(report), indent=2, ensure_ascii=False) + "\n"


def as_markdown(report: Report) -> str:
    """The page."""
    summary = report.summary
    parts = [
        "# Does up-scaling help?",
        *(f"*{note}*" for note in report.notes),
        "Intervals are 95 %. `all` is every kind but `harmful`. See docs/evaluate.md.",
        *_gap_parts(report),
        *_share_parts(summary),
        *_frontier_parts(report),
        *_agreement_parts(report),
        *_slice_parts(summary),
        *_run_parts(report),
    ]
    return "\n\n".join(parts) + "\n"


def percent(share: Share | None) -> str:
    """``58.3 [53.4, 63.1]``; a dash where there is nothing."""
    if share is None:
        return "–"
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def recovered(gap: Recovered | None) -> str:
    """``0.67 [0.52, 0.83]``; a dash where there is no gap to divide by."""
    if gap is None or gap.value is None:
        return "–"
    return f"{gap.value:.2f} [{gap.low:.2f}, {gap.high:.2f}]"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]], mark: str = "---:") -> str:
    """A Markdown table; ``mark`` aligns all columns but the first, numbers to the right."""
    marks = ["---", *[mark] * (len(heading) - 1)]
    lines = [heading, marks, *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _gap_parts(report: Report) -> list[str]:
    """Gap recovered: a row a voice, a column an axis; then each kind; then why some have none."""
    axes = {name: axis for name, axis in report.summary.axes.items() if axis.gaps}
    if not axes:
        return ["## Gap recovered", "No ceiling was given (`--ceiling`), so there is no gap."]
    voices = list(next(iter(axes.values())).gaps["all"])
    heading = ["voice", *(SHORT[name] for name in axes)]
    rows = [[v, *(recovered(axis.gaps["all"][v]) for axis in axes.values())] for v in voices]
    parts = [
        "## Gap recovered",
        "(up-scaled − tuned) / (ceiling − tuned): 0 is the small tuned model, 1 the ceiling. The "
        "paper reports means of 0.67 for factuality and 0.30 for helpfulness.",
        *_picture(report, "gap"),
        table(heading, rows),
        *(reason for name, axis in axes.items() for reason in _reasons(name, axis)),
    ]
    kinds = [kind for kind in report.summary.groups if kind != "all"]
    for name, axis in axes.items() if len(kinds) > 1 else ():
        parts.append(f"Of {SHORT[name]}, for each kind:")
        rows = [[v, *(recovered(axis.gaps[kind][v]) for kind in kinds)] for v in voices]
        parts.append(table(["voice", *kinds], rows))
    return parts


def _reasons(name: str, axis: Axis) -> list[str]:
    """Groups whose gap cannot be divided by, a line each; the voices where others can."""
    lines = []
    for group, row in axis.gaps.items():
        voices: dict[str, list[str]] = {}
        for voice, gap in row.items():
            if gap.reason and gap.reason != "no items":
                voices.setdefault(gap.reason, []).append(voice)
        for reason, lacking in voices.items():
            whose = "" if len(lacking) == len(row) else f" ({', '.join(lacking)})"
            lines.append(f"- {SHORT[name]}, {group}{whose}: {reason}.")
    return ["\n".join(lines)] if lines else []


def _share_parts(summary: Summary) -> list[str]:
    """For each axis: a row a voice, a column a group."""
    parts = []
    for name, axis in summary.axes.items():
        groups = [group for group in summary.groups if axis.shares[group]]
        spell = _spell(name)
        rows = [
            [voice, *(spell(axis.shares[group].get(voice)) for group in groups)]
            for voice in summary.num_by_voice
        ]
        counts = [f"{group} ({_num(axis.shares[group])})" for group in groups]
        parts += [f"## {TITLES[name]}", table(["voice", *counts], rows)]
    if summary.unjudged:
        told = ", ".join(f"{num} of {voice}" for voice, num in summary.unjudged.items())
        parts.append(
            f"The judge gave no score to {sum(summary.unjudged.values())} answers: {told}."
        )
    return parts


def _slice_parts(summary: Summary) -> list[str]:
    """For each axis: a row a tag, a column a voice."""
    if not summary.num_by_tag:
        return []
    tags = sorted(summary.num_by_tag, key=lambda tag: -summary.num_by_tag[tag])[:MAX_TAGS]
    parts = ["## Slices by tag"]
    for name, axis in summary.axes.items():
        spell = _spell(name)
        rows = [
            [f"{tag} ({_num(axis.slices[tag])})", *(spell(axis.slices[tag].get(v)) for v in voices)]
            for voices in [list(summary.num_by_voice)]
            for tag in tags
            if axis.slices[tag]
        ]
        parts += [f"{TITLES[name]}:", table(["tag", *summary.num_by_voice], rows)]
    return parts


def _frontier_parts(report: Report) -> list[str]:
    found = report.summary.frontier
    if found is None:
        return []
    heading = ["lambda", "voice", "refuses harmful, %", "right and in form, %"]
    return [
        "## Helpful and harmless",
        "lambda is the weight of the first tuned member, 1 − lambda that of the second.",
        *_picture(report, "frontier"),
        table(heading, [_pointed(point) for point in (*found.points, *found.alone)]),
        _verdict(found),
    ]


def _pointed(point: Point) -> list[str]:
    weight = "small, alone" if point.weight is None else f"{point.weight:g}"
    return [weight, point.voice, percent(point.refuses), percent(point.helps)]


def _verdict(found: Frontier) -> str:
    if found.is_monotone:
        return "Refusals fall, or stay, at every step of lambda: the trade is monotone."
    return (
        f"The trade is not monotone: at one step of lambda refusals rise by "
        f"{100 * found.rise:.1f} points, though they should fall."
    )


def _agreement_parts(report: Report) -> list[str]:
    found = report.summary.agreement
    if found is None:
        return []
    shares = {
        "all tokens, `harmful` too": found.all,
        "tokens of the fact, of `fact`": found.facts,
        **found.kinds,
    }
    rows = [
        [f"{name} (n = {share.num})" if share else name, percent(share)]
        for name, share in shares.items()
    ]
    return [
        "## Agreement between drafter and mixture",
        f"Share of the tokens of `{found.voice}` that `{found.drafter}` alone would have chosen, "
        f"given the same text before; intervals over answers.",
        *_picture(report, "agreement"),
        table(["tokens", "agree, %"], rows),
    ]


def _run_parts(report: Report) -> list[str]:
    manifest = report.manifest
    kinds = report.summary.num_by_kind
    rows = [
        ["questions", f"{manifest.num_questions} (set {manifest.questions})"],
        ["kinds", ", ".join(f"{kind} {num}" for kind, num in kinds.items())],
        *([f"member {role}", name] for role, name in manifest.members.items()),
        *([name, str(value)] for name, value in manifest.settings.items() if value is not None),
        *([["judge", report.judge]] if report.judge else []),
        *([name, version] for name, version in report.versions.items()),
    ]
    voices = [[label, json.dumps(mixture)] for label, mixture in manifest.voices.items()]
    return [
        "## What was run",
        table(["what", "which"], rows, mark="---"),
        table(["voice", "mixture"], voices, mark="---"),
    ]


def _picture(report: Report, name: str) -> list[str]:
    return [f"![{name}]({name}.png)"] if name in report.pictures else []


def _spell(axis: str) -> Callable[[Share | None], str]:
    return _judged if axis == "judge" else percent


def _judged(share: Share | None) -> str:
    """Scaled shares as the scores they were."""
    if share is None:
        return "–"
    value, low, high = (1 + 9 * number for number in (share.value, share.low, share.high))
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _num(row: Mapping[str, Share]) -> str:
    """Items of a group: of the voice with most of them."""
    return f"n = {max((share.num for share in row.values()), default=0)}"
