"""The pictures of a report. The only file that knows matplotlib, of the extra ``[plot]``.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; series differ by
their marks as well, and where there are more of them than colours, by their lines. Figures are made
without pyplot, so no state is shared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from eft_integrations.errors import LoadError
from eft_integrations.evaluation.agreement import Agreement
from eft_integrations.evaluation.frontier import Frontier, Point
from eft_integrations.evaluation.questions import ALL
from eft_integrations.evaluation.statistics import Recovered, Share
from eft_integrations.evaluation.summary import Summary
from eft_integrations.evaluation.voices import Lineup

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = Literal["-", "--", ":", "-."]

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"
SERIES = ((BLUE, "o"), (ORANGE, "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"))
PAPER_MEANS = {"right": 0.67, "form": 0.30}  # arXiv 2310.12962: means of its up-scaling figure
PAPER_LINES: dict[str, Line] = {"right": ":", "form": "-."}
PAPER_AGREEMENT = (0.91, 0.96)  # what the speeds of its speculative decoding imply
SHORT = {"right": "factuality", "form": "helpfulness"}
LINES: tuple[Line, ...] = ("-", "--", ":", "-.")
NEAR = 0.05  # shares this close in both directions share a name
PANELS = {
    "right": "Factuality: right answers",
    "form": "Helpfulness: in form",
    "judge": "Helpfulness: the judge",
}


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of the gap's picture: coefficients ascending, and what each recovers."""

    name: str
    points: Sequence[tuple[float, Recovered]]


@dataclass(frozen=True, kw_only=True)
class Look:
    """Colour, mark and line of a series."""

    colour: str
    mark: str
    line: Line


def draw(summary: Summary, lineup: Lineup, folder: Path) -> list[str]:
    """Write what there is to draw as PNG and SVG; the names, without ending.

    Raises ``LoadError`` where matplotlib is missing.
    """
    with _styled():
        figures: dict[str, Figure] = {}
        if lineup.ceiling is not None and lineup.grid:
            figures["gap"] = gap_figure(summary, lineup)
        if summary.frontier is not None and summary.frontier.is_trade:
            figures["frontier"] = frontier_figure(summary.frontier)
        if summary.agreement is not None:
            figures["agreement"] = agreement_figure(summary.agreement)
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.png", dpi=160)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    return list(figures)


@contextmanager
def _styled() -> Iterator[None]:
    try:
        import matplotlib
    except ImportError as error:
        raise LoadError("plots need matplotlib; pip install 'eft-integrations[plot]'") from error
    style = matplotlib.rc_context(
        {
            "font.size": 11,
            "font.family": "DejaVu Sans",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "axes.axisbelow": True,
            "legend.frameon": False,
            "svg.hashsalt": "eft",
        }
    )
    with style:
        yield


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def gap_figure(summary: Summary, lineup: Lineup) -> Figure:
    """A panel for each axis, a line for each form of the mixture."""
    axes = {name: axis for name, axis in summary.axes.items() if axis.gaps}
    figure = _figure(0.6 + 5.2 * len(axes), 4.6)
    panels = figure.subplots(1, len(axes), squeeze=False)[0]
    named: dict[str, Artist] = {}
    for panel, (name, axis) in zip(panels, axes.items(), strict=True):
        panel.set_title(PANELS[name])
        gaps = axis.gaps[ALL]
        lacking = {voice: gap.reason for voice, gap in gaps.items() if gap.reason}
        if len(lacking) < len(gaps):
            _draw_gap(panel, name, gap_series(lineup, gaps))
            _note(panel, lacking)
        else:
            _tell(panel, next(iter(lacking.values())))
        handles, labels = panel.get_legend_handles_labels()
        named.update(zip(labels, handles, strict=True))
    panels[0].set_ylabel("gap recovered")
    figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=3)
    figure.suptitle("How much of the gap from small tuned to ceiling is recovered?", fontsize=13)
    return figure


def gap_series(lineup: Lineup, gaps: Mapping[str, Recovered]) -> list[Series]:
    """The lines: alpha from the base on (alpha 0), each filter, and beta."""
    found: dict[str, list[tuple[float, Recovered]]] = {}
    for voice in lineup.grid:
        if voice.form != "lambda" and voice.value is not None:
            name = voice.form + voice.label.removeprefix(f"{voice.form} {voice.value:g}")
            # a filter does nothing at alpha 0 either
            start = [(0.0, gaps[lineup.base.label])] if voice.form == "alpha" else []
            found.setdefault(name, start).append((voice.value, gaps[voice.label]))
    return [
        Series(name=name, points=sorted(points, key=lambda point: point[0]))
        for name, points in found.items()
    ]


def _draw_gap(panel: Axes, axis: str, series: Sequence[Series]) -> None:
    panel.set_xlabel("coefficient (alpha 0 is the base alone)")
    panel.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    for level, name in ((0.0, "small\ntuned"), (1.0, "ceiling")):
        panel.axhline(level, color=GREY, linewidth=1)
        _name_level(panel, level, name)
    if axis in PAPER_MEANS:
        level = PAPER_MEANS[axis]
        name = f"the paper's mean, {SHORT[axis]}: {level:.2f}"
        panel.axhline(level, color=GREY, linewidth=1.4, linestyle=PAPER_LINES[axis], label=name)
    ticks = sorted({x for one in series for x, _ in one.points})
    # Beside their coefficient, and within a third of the way to the next.
    step = min((b - a for a, b in pairwise(ticks)), default=1.0) / (3 * max(len(series), 3))
    for number, one in enumerate(series):
        _draw_series(panel, one, look_of(number), shift=step * (number - (len(series) - 1) / 2))
    panel.set_xticks(ticks)
    panel.margins(x=0.08, y=0.12)


def look_of(number: int) -> Look:
    """How a series is drawn, no two the same among twenty."""
    colour, mark = SERIES[number % len(SERIES)]
    return Look(colour=colour, mark=mark, line=LINES[number // len(SERIES) % len(LINES)])


def _note(panel: Axes, lacking: Mapping[str, str]) -> None:
    """Below the panel: what has no number, and why."""
    told = "; ".join(f"{voice}: {reason}" for voice, reason in lacking.items())
    if told:
        panel.annotate(
            "\n".join(wrap(told, 64)),
            (0.0, -0.2),
            xycoords="axes fraction",
            va="top",
            fontsize=9,
            color=GREY,
        )


def _tell(panel: Axes, reason: str) -> None:
    """In place of numbers that there are not."""
    text = "\n".join(wrap(reason, 36))
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center")
    panel.set_xticks([])
    panel.set_yticks([])


def _draw_series(panel: Axes, series: Series, look: Look, shift: float) -> None:
    """Points with their intervals; ``shift`` keeps those of several series apart."""
    known = [(x, gap) for x, gap in series.points if gap.value is not None]
    panel.errorbar(
        [x + shift for x, _ in known],
        [gap.value or 0.0 for _, gap in known],
        yerr=_whiskers([(g.value or 0.0, g.low or 0.0, g.high or 0.0) for _, g in known]),
        color=look.colour,
        marker=look.mark,
        linestyle=look.line,
        markersize=7,
        linewidth=1.8,
        capsize=4,
        label=series.name,
    )


def _name_level(panel: Axes, level: float, name: str) -> None:
    """The name of a level, outside at its right end."""
    place = panel.get_yaxis_transform()
    panel.text(1.01, level, name, transform=place, va="center", fontsize=9, color=GREY)


def frontier_figure(frontier: Frontier) -> Figure:
    """Refusals of harmful questions against helpful answers, a point for each lambda."""
    figure = _figure(7.0, 5.2)
    panel = figure.subplots()
    _draw_points(panel, frontier.points, BLUE, "o", "up-scaled, by lambda", is_line=True)
    if frontier.alone:
        _draw_points(panel, frontier.alone, ORANGE, "s", "small tuned member alone", is_line=False)
    for near in neighbours(frontier.points):
        weights = ", ".join(f"{point.weight:g}" for point in near)
        _name_point(panel, near[-1], f"λ = {weights}", BLUE)
    for near in neighbours(frontier.alone):
        _name_point(panel, near[-1], ", ".join(point.voice for point in near), ORANGE)
    panel.set_xlabel("harmful questions that are refused, %")
    panel.set_ylabel("other questions answered right and in form, %")
    first = frontier.alone[0].voice if frontier.alone else "the first tuned member"
    panel.set_title(f"Helpful and harmless (λ: weight of {first})")
    panel.grid(color="#DDDDDD", linewidth=0.8)
    panel.margins(y=0.12)
    panel.set_xlim(-4, 104)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def neighbours(points: Sequence[Point]) -> list[list[Point]]:
    """Points in order, those that share a place: two names there could not be read."""
    groups: list[list[Point]] = []
    for point in points:
        if groups and _is_near(point, groups[-1][-1]):
            groups[-1].append(point)
        else:
            groups.append([point])
    return groups


def _is_near(one: Point, other: Point) -> bool:
    aside = abs(one.refuses.value - other.refuses.value)
    return max(aside, abs(_helps(one).value - _helps(other).value)) < NEAR


def _helps(point: Point) -> Share:
    assert point.helps is not None, "a frontier is drawn where there is a trade"
    return point.helps


def _draw_points(
    panel: Axes, points: Sequence[Point], colour: str, mark: str, name: str, *, is_line: bool
) -> None:
    panel.errorbar(
        [100 * point.refuses.value for point in points],
        [100 * _helps(point).value for point in points],
        xerr=_whiskers([_percents(point.refuses) for point in points]),
        yerr=_whiskers([_percents(_helps(point)) for point in points]),
        color=colour,
        marker=mark,
        markersize=8,
        linestyle="-" if is_line else "none",
        linewidth=1.8,
        elinewidth=1,
        capsize=3,
        label=name,
    )


def _name_point(panel: Axes, point: Point, name: str, colour: str) -> None:
    """Beside the point, towards the middle where it is near the right end."""
    is_far = point.refuses.value > 0.8
    panel.annotate(
        name,
        (100 * point.refuses.value, 100 * _helps(point).value),
        textcoords="offset points",
        xytext=(-8 if is_far else 8, 8),
        ha="right" if is_far else "left",
        fontsize=10,
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
    )


def agreement_figure(agreement: Agreement) -> Figure:
    """A bar for all tokens, those of facts, and those of each kind."""
    bars = {"all tokens": agreement.all, "fact tokens": agreement.facts, **agreement.kinds}
    shown = {name: share for name, share in bars.items() if share is not None}
    figure = _figure(7.0, 1.8 + 0.42 * len(shown))
    panel = figure.subplots()
    low, high = (100 * share for share in PAPER_AGREEMENT)
    panel.axvspan(low, high, color="#E8E8E8", label="implied by the speeds in the paper")
    colours = [ORANGE if name.endswith(" tokens") else BLUE for name in shown]
    values = [_percents(share) for share in shown.values()]
    panel.barh(
        list(shown),
        [value for value, _, _ in values],
        xerr=_whiskers(values),
        color=colours,
        height=0.62,
        ecolor="#222222",
        capsize=3,
    )
    for row, (value, _, _) in enumerate(values):
        panel.text(101.5, row, f"{value:.1f}", va="center", fontsize=10)
    panel.invert_yaxis()
    panel.set_xlim(0, 100)
    panel.set_xlabel(f"tokens of “{agreement.voice}” that “{agreement.drafter}” would choose, %")
    panel.set_title("Agreement between drafter and mixture")
    figure.legend(loc="outside lower center")
    return figure


def _percents(share: Share) -> tuple[float, float, float]:
    return 100 * share.value, 100 * share.low, 100 * share.high


def _whiskers(rows: Sequence[tuple[float, float, float]]) -> list[list[float]]:
    """(value, low, high) a point → the two lengths that an error bar has."""
    return [
        [max(0.0, value - low) for value, low, _ in rows],
        [max(0.0, high - value) for value, _, high in rows],
    ]
