"""The picture of a competition: a bar for each contender, as SVG. No package draws it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from eft_integrations.benchmark.summary import Line, spelled

_BAR_LEN, _LEFT, _RIGHT, _ROW, _HEAD = 420, 210, 150, 22, 30
_OURS, _OTHERS, _RANGE = "#0072B2", "#999999", "#222222"


def svg(title: str, lines: Sequence[Line]) -> str:
    """Tokens a second by number of prompts; a thin line spans the rounds.

    Every group has a scale of its own: a batch writes many times what one prompt does.
    """
    parts: list[str] = []
    top = 2 * _HEAD
    for num_rows, group in groupby(lines, key=lambda one: one.num_rows):
        members = list(group)
        scale = _BAR_LEN / max(one.rate[2] for one in members)
        plural = "prompts at once" if num_rows > 1 else "prompt"
        parts.append(_text(8, top, f"{num_rows} {plural}", "bold"))
        for number, one in enumerate(members):
            parts += _bar(one, top + 8 + number * _ROW, scale)
        top += _HEAD + len(members) * _ROW
    width = _LEFT + _BAR_LEN + _RIGHT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" '
        f'height="{top}" font-family="sans-serif" font-size="12" role="img">'
        f'<rect width="100%" height="100%" fill="white"/>'
    )
    caption = _text(8, 22, f"{title}: tokens a second", "bold")
    return "\n".join([head, f"<title>{escape(title)}</title>", caption, *parts, "</svg>", ""])


def _bar(one: Line, top: float, scale: float) -> list[str]:
    middle, low, high = (figure * scale for figure in one.rate)
    colour = _OURS if one.name.startswith("engine") else _OTHERS
    centre = top + _ROW / 2 - 2
    return [
        _text(20, centre + 4, one.name),
        f'<rect x="{_LEFT}" y="{top}" width="{middle:.1f}" height="{_ROW - 4}" fill="{colour}"/>',
        f'<line x1="{_LEFT + low:.1f}" x2="{_LEFT + high:.1f}" y1="{centre}" y2="{centre}" '
        f'stroke="{_RANGE}"/>',
        _text(_LEFT + high + 6, centre + 4, spelled(one.rate)),
    ]


def _text(x: float, y: float, text: str, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}">{escape(text)}</text>'
