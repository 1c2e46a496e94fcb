"""``eft check``: is this trio fit to serve? Told before anyone waits for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eft_integrations.cli import members as which
from eft_integrations.cli.boundary import printable, tell

if TYPE_CHECKING:
    from eft_integrations.engine.examine import Figures
    from eft_integrations.engine.findings import Finding

UNFIT = 1
_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "bold red"}


def check(
    no_load: Annotated[
        bool, typer.Option("--no-load", help="Read the files only: nothing is measured.")
    ] = False,
    base: which.BaseOption = None,
    tuned: which.TunedOption = None,
    reference: which.ReferenceOption = None,
    dtype: which.DtypeOption = None,
    device: which.DeviceOption = None,
) -> None:
    """Examine a trio: what fits, what does not, what to do. Exit status 1 for a problem."""
    members = which.Members(base=base, tuned=tuned, reference=reference, dtype=dtype, device=device)
    config = members.plan()
    from eft_integrations.engine import examine

    console = Console()
    seen = examine.examine_files(config)
    findings, figures = list(seen.findings), seen.figures
    console.print(_listed(seen.findings))
    if not (no_load or seen.has_problem):
        tell("loading and measuring …")
        seen = examine.examine_weights(config)
        findings, figures = [*findings, *seen.findings], seen.figures or figures
        console.print(_listed(seen.findings))
    if figures:
        console.print(_costs(figures))
    console.print(_summary(findings), highlight=False)
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(UNFIT)


def _listed(findings: Sequence[Finding]) -> Table:
    """A line for each finding, its remedy below it."""
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column(width=7)
    table.add_column(width=10)
    table.add_column()
    for finding in findings:
        level = Text(finding.level, style=_STYLES[finding.level])
        table.add_row(level, Text(finding.subject), Text(printable(finding.text)))
        if finding.remedy:
            table.add_row("", "", Text(f"→ {printable(finding.remedy)}", style="dim"))
    return table


def _costs(figures: Mapping[str, Figures]) -> Table:
    """What each member costs in memory and time."""
    table = Table(box=box.SIMPLE)
    table.add_column("member")
    for heading in ("parameters", "weights", "context", "kv/token", "1 token", "8 tokens"):
        table.add_column(heading, justify="right")
    for role, one in figures.items():
        table.add_row(
            role,
            f"{one.num_parameters:,}",
            _bytes(one.num_bytes),
            str(one.context_len or "?"),
            _bytes(one.kv_bytes_per_token),
            *(_milliseconds(one.seconds.get(num)) for num in (1, 8)),
        )
    return table


def _bytes(count: int) -> str:
    from eft_integrations.engine.findings import spelled

    return spelled(count)


def _milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.3g} ms"


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.level for finding in findings)
    if not counts["problem"] + counts["warning"]:
        return "fit to serve"
    return f"{counts['problem']} problem(s), {counts['warning']} warning(s)"
