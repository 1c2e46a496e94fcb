"""``eft bench``: how fast is it here?"""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from eft_integrations.errors import InvalidRequest


def bench(
    what: Annotated[
        Literal["langchain"],
        typer.Argument(help="langchain: what ChatEFT costs beside the engine alone."),
    ] = "langchain",
    rounds: Annotated[
        int, typer.Option(metavar="N", min=1, help="Rounds; a figure is their median.")
    ] = 9,
) -> None:
    """Measure the embedded family on this machine, with the limits that figures are held to."""
    from eft_integrations.engine import Engine

    try:
        from eft_integrations.benchmark.langchain import langchain_figures
    except ImportError as error:
        raise InvalidRequest(str(error)) from error
    table = Table(box=box.ASCII)
    for name in (what, "median", "range", "limit", ""):
        table.add_column(name, justify="left" if name == what else "right")
    with Engine.tiny() as engine:
        for one in langchain_figures(engine, num_rounds=rounds):
            table.add_row(
                one.name,
                f"{one.value:.1f} {one.unit}",
                f"{one.low:.1f} to {one.high:.1f}",
                f"{one.limit:g} {one.unit}",
                "✓" if one.is_held else "✗",
            )
    Console().print(table)
