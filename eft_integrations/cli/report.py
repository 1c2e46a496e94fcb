"""``eft report``: the table of an evaluation, and items of it answered anew."""

from __future__ import annotations

from itertools import chain, islice, zip_longest
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eft_integrations import tiny
from eft_integrations.cli.boundary import interrupted_by, printable
from eft_integrations.errors import InvalidRequest

if TYPE_CHECKING:
    from eft_integrations.evaluation import Question, Summary

_LETTERS = 90  # of a question or an answer in the table


def report(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            help="What `eft evaluate --output DIR` wrote; default: that of the embedded family.",
        ),
    ] = None,
    live: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Answer N items now, up-scaled: embedded family only."
        ),
    ] = 0,
) -> None:
    """Show the table of a finished evaluation."""
    if folder is not None and live:
        raise InvalidRequest("--live answers items of the embedded family; leave out the folder")
    from eft_integrations import evaluation

    console = Console()
    console.print(scores(evaluation.read_summary(folder or tiny.report_path())))
    if live:
        console.print(_answered(_first(live)))


def scores(summary: Summary) -> Table:
    """The short table of an evaluation, a row a voice: of all, or of the harmful kind alone."""
    from eft_integrations.evaluation.questions import ALL, HARMFUL
    from eft_integrations.evaluation.report import SHORT, recovered

    table = Table(box=box.ASCII)
    table.add_column("voice")
    for name in summary.axes:
        table.add_column("judge" if name == "judge" else f"{name}, %", justify="right")
    group = ALL if set(summary.num_by_kind) - {HARMFUL} else HARMFUL
    gaps = {name: axis.gaps[group] for name, axis in summary.axes.items() if axis.gaps}
    for name in gaps:
        table.add_column(f"gap of {SHORT[name]}", justify="right")
    for voice in summary.num_by_voice:
        shares = [axis.shares[group].get(voice) for axis in summary.axes.values()]
        table.add_row(
            Text(printable(voice)),
            *(f"{100 * share.value:.1f}" if share else "–" for share in shares),
            *(recovered(row.get(voice)) for row in gaps.values()),
        )
    return table


def _first(num: int) -> list[Question]:
    """Held-out items, each kind in turn; those of mischief belong to the frontier."""
    from eft_integrations import evaluation
    from eft_integrations.evaluation.questions import HARMFUL

    found = evaluation.load_questions(*tiny.question_files("heldout"))
    by_kind: dict[str, list[Question]] = {}
    for question in found:
        by_kind.setdefault(question.kind, []).append(question)
    by_kind.pop(HARMFUL, None)
    in_turn = chain.from_iterable(zip_longest(*by_kind.values()))
    return list(islice(filter(None, in_turn), num))


def _answered(questions: list[Question]) -> Table:
    """The items, what the up-scaled model says at alpha 1, and whether it is right."""
    from eft_integrations.engine import Engine
    from eft_integrations.evaluation.answering import asked, said
    from eft_integrations.evaluation.grades import grade

    with interrupted_by(SIGINT):
        opened = Engine.tiny(max_slots=len(questions))
    with opened as engine:
        prepared = list(asked(engine, questions, max_tokens=128).prepared.values())
        answers = engine.generate([dict(one.prompts) for one in prepared], max_tokens=128)
        told = [said(engine, *pair) for pair in zip(prepared, answers, strict=True)]
    table = Table(box=box.ASCII)
    for name in ("kind", "asked last", "up-scaled, alpha 1", ""):
        table.add_column(name, overflow="fold")
    for question, answer, one in zip(questions, answers, told, strict=True):
        mark = grade(question.expect, one, is_ended=answer.finish_reason == "stop")
        is_good = mark.right is not False and mark.form
        last = str(question.messages[-1]["content"])
        cells = (Text(_end(printable(text))) for text in (last, answer.text))
        table.add_row(question.kind, *cells, "✓" if is_good else "")
    return table


def _end(text: str) -> str:
    """The last letters of a long text, in one line: a question stands at its end."""
    line = " ".join(text.split())
    return line if len(line) <= _LETTERS else f"… {line[-_LETTERS:]}"
