"""The table of ``eft compare``: who answered what, as far as it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eft_integrations.cli.boundary import printable
from eft_integrations.mixture import Mixture
from eft_integrations.tiny.facts import contains


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One row of each question: a mixture and what it is called."""

    label: str
    mixture: Mixture


@dataclass(kw_only=True)
class Cell:
    """One voice's answer while it grows."""

    voice: Voice
    text: str = ""
    is_done: bool = False


@dataclass(frozen=True, kw_only=True)
class Section:
    """A question with its cells; ``answer`` is the right one where it is known."""

    question: str
    answer: str | None
    cells: Sequence[Cell]

    def is_right(self, cell: Cell) -> bool:
        return self.answer is not None and contains(cell.text, self.answer)


def drawn(sections: Sequence[Section], *, is_plain: bool, is_short: bool = False) -> Table:
    """The table; ``is_short`` gives each answer one line, ``is_plain`` is for pipes and files."""
    table = Table(box=box.ASCII if is_plain else box.ROUNDED, expand=not is_plain)
    table.add_column("who", no_wrap=True)
    table.add_column("", width=1)
    table.add_column(
        "answer", ratio=1, no_wrap=is_short, overflow="ellipsis" if is_short else "fold"
    )
    for section in sections:
        table.add_section()
        table.add_row("", "?", _asked(section), style="bold")
        for cell in section.cells:
            mark = Text("✓", style="bold green") if section.is_right(cell) else ""
            table.add_row(cell.voice.label, mark, _answered(cell))
    return table


def fitting(console: Console, sections: Sequence[Section]) -> Table:
    """The table while it fills: with short answers where the long ones would leave the screen."""
    table = drawn(sections, is_plain=False)
    are_done = all(cell.is_done for section in sections for cell in section.cells)
    if are_done or len(console.render_lines(table)) < console.height:
        return table
    return drawn(sections, is_plain=False, is_short=True)


def _asked(section: Section) -> Text:
    text = Text(_flat(section.question))
    if section.answer is not None:
        text.append(f"  ({section.answer})", style="dim")
    return text


def _answered(cell: Cell) -> Text:
    text = Text(_flat(cell.text))
    if not cell.is_done:
        text.append("▌", style="dim")
    return text


def _flat(text: str) -> str:
    """On one line: what rambles over many would tear the table apart."""
    return printable(" ".join(text.split()))
