"""``eft bench``: how fast is it here?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from eft_integrations.cli import members as which
from eft_integrations.cli.progress import bar
from eft_integrations.errors import InvalidRequest


def bench(
    what: Annotated[
        Literal["speed", "langchain"],
        typer.Argument(
            help="speed: against the naive loop and the large model alone. langchain: what ChatEFT "
            "costs beside the engine."
        ),
    ] = "speed",
    rounds: Annotated[
        int, typer.Option(metavar="N", min=1, help="Rounds; a figure is their median.")
    ] = 3,
    tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Length of an answer.")] = 64,
    prompt: Annotated[int, typer.Option(metavar="N", min=1, help="Length of a prompt.")] = 128,
    rows: Annotated[
        list[int] | None,
        typer.Option(metavar="N", min=1, help="Prompts at once; again for more.  [1, 8, 16]"),
    ] = None,
    synthetic: Annotated[
        float | None,
        typer.Option(
            metavar="AGREEMENT",
            min=0,
            max=1,
            help="A trio of 1.8 and 0.16 billion parameters, whose drafts agree so often.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where bench.md and bench.json go.")
    ] = None,
    base: which.BaseOption = None,
    tuned: which.TunedOption = None,
    reference: which.ReferenceOption = None,
    dtype: which.DtypeOption = None,
) -> None:
    """Measure on this machine: tokens a second of every way to write up-scaled text."""
    members = which.Members(base=base, tuned=tuned, reference=reference, dtype=dtype)
    if what == "langchain":
        _langchain(rounds)
        return
    if synthetic is not None and not members.are_embedded:
        raise InvalidRequest("--synthetic builds its own members; leave --base, --tuned … out")
    with _trio(members, synthetic) as (title, paths, kind):
        _speed(title, paths, kind, (rounds, tokens, prompt), rows or [1, 8, 16], output)


@contextmanager
def _trio(
    members: which.Members, agreement: float | None
) -> Iterator[tuple[str, dict[str, str], str]]:
    """A title, the folder of each role, and the dtype."""
    if agreement is None:
        paths = {role: str(path) for role, path in members.by_role.items()}
        if set(paths) != {"base", "tuned", "reference"}:
            raise InvalidRequest("eft bench needs --base, --tuned and --reference, one each")
        own = "float32" if members.are_embedded else "bfloat16"
        yield "The given trio", paths, members.dtype or own
        return
    from eft_integrations.benchmark.synthetic import build_trio

    with TemporaryDirectory() as folder:
        Console(stderr=True).print("building the synthetic trio, 4 GB …")
        yield (
            f"Synthetic trio, agreement {agreement:g}",
            build_trio(Path(folder), agreement),
            "bfloat16",
        )


def _speed(
    title: str,
    paths: dict[str, str],
    kind: str,
    lengths: tuple[int, int, int],
    sizes: list[int],
    output: Path | None,
) -> None:
    from eft_integrations.benchmark import speed, summary
    from eft_integrations.benchmark.contenders import Trio
    from eft_integrations.engine import Engine

    rounds, num_tokens, prompt_len = lengths
    members: Any = paths
    with Engine.from_pretrained(**members, dtype=kind, lookup=False) as engine:
        trio = Trio.load(paths, kind)
        found = speed.contenders(
            trio, engine, num_tokens=num_tokens, prompt_len=prompt_len, sizes=sizes
        )
        with bar() as progress:
            progress.begin("checking", 1)
            agreed = speed.agreed(found)
            progress.begin("rounds, the first to warm up", rounds + 1)
            timings = speed.compete(
                found,
                num_rounds=rounds,
                num_tokens=num_tokens,
                advance=lambda: progress.advance(1),
            )
    lines = list(summary.lines(timings))
    _show(title, lines)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / "bench.md").write_text(summary.markdown(title, lines, agreed), "utf-8")
        told = json.dumps(summary.as_json(title, timings, agreed), indent=1)
        (output / "bench.json").write_text(told, "utf-8")


def _show(title: str, lines: Any) -> None:
    from eft_integrations.benchmark.summary import spelled

    table = Table(title=title, box=box.ASCII)
    for name in ("", "prompts", "tokens/s", "× naive loop", "× static batch"):
        table.add_column(name, justify="right" if name else "left")
    for one in lines:
        told = map(spelled, (one.rate, one.beside_loop, one.beside_batch))
        table.add_row(one.name, str(one.num_rows), *told)
    Console().print(table)


def _langchain(rounds: int) -> None:
    """The embedded family, with the limits that figures are held to."""
    from eft_integrations.engine import Engine

    try:
        from eft_integrations.benchmark.langchain import langchain_figures
    except ImportError as error:
        raise InvalidRequest(str(error)) from error
    table = Table(box=box.ASCII)
    for name in ("langchain", "median", "range", "limit", ""):
        table.add_column(name, justify="left" if name == "langchain" else "right")
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
