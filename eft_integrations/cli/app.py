"""The commands by name."""

from __future__ import annotations

from typing import Annotated

import typer

from eft_integrations import __version__
from eft_integrations.cli.ask import ask
from eft_integrations.cli.bench import bench
from eft_integrations.cli.boundary import guarded
from eft_integrations.cli.chat import chat
from eft_integrations.cli.check import check
from eft_integrations.cli.compare import compare
from eft_integrations.cli.evaluate import evaluate
from eft_integrations.cli.report import report
from eft_integrations.cli.serve_vllm import CONTEXT, serve_vllm
from eft_integrations.cli.show import show

app = typer.Typer(
    name="eft",
    invoke_without_command=True,
    add_completion=False,
    # A traceback of ours is a bug report: whole and plain.
    pretty_exceptions_enable=False,
)


def _tell_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"eft {__version__}")
        raise typer.Exit


@app.callback()
def eft(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None:
    """Emulated fine-tuning: a large model, tuned like a small one, while it answers."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for command in (ask, compare, show, chat, check, evaluate, report, bench):
    app.command()(guarded(command))
# What it does not know belongs to vLLM.
app.command(context_settings=CONTEXT)(guarded(serve_vllm))
