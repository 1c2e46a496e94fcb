"""``eft bench``: how fast is it here?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from eft_integrations.cli import members as which
from eft_integrations.cli.progress import bar
from eft_integrations.errors import InvalidRequest

if TYPE_CHECKING:
    from eft_integrations.benchmark.coupling import Kept
    from eft_integrations.benchmark.economy import Economy
    from eft_integrations.benchmark.peers import Peers
    from eft_integrations.benchmark.speed import Contender, Timing
    from eft_integrations.engine import Engine

# Of the family's held-out questions, for texts that are sampled.
_EVERY = 24


def bench(
    what: Annotated[
        Literal["speed", "langchain"],
        typer.Argument(
            help="speed: against the naive loop and the large model alone. langchain: what ChatEFT "
            "costs beside the engine."
        ),
    ] = "speed",
    rounds: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="A figure is the median of so many.  [3; langchain: 9]"
        ),
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Length of an answer.  [64]")
    ] = None,
    prompt: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Length of a prompt.  [128]")
    ] = None,
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
        Path | None, typer.Option(metavar="DIR", help="Where bench.md, .json and .svg go.")
    ] = None,
    base: which.BaseOption = None,
    tuned: which.TunedOption = None,
    reference: which.ReferenceOption = None,
    dtype: which.DtypeOption = None,
) -> None:
    """Measure on this machine: tokens a second of every way to write up-scaled text."""
    members = which.Members(base=base, tuned=tuned, reference=reference, dtype=dtype)
    lengths = Lengths(rounds or 3, tokens or 64, prompt or 128, rows or [1, 8, 16])
    if what == "langchain":
        given = (tokens, prompt, rows, synthetic, output, base, tuned, reference, dtype)
        if any(value is not None for value in given):
            raise InvalidRequest(
                "eft bench langchain measures the embedded family and takes --rounds only; "
                "leave the other options out"
            )
        _langchain(rounds or 9)
    elif synthetic is None:
        _speed(*_given(members), lengths, output)
    elif members.are_embedded:
        with TemporaryDirectory() as folder:
            Console(stderr=True).print("building the synthetic trio, two billion parameters …")
            wordless = replace(lengths, has_words=False)
            _speed(*_built(Path(folder), synthetic, dtype), wordless, output)
    else:
        raise InvalidRequest("--synthetic builds its own members; leave --base … out")


@dataclass(frozen=True)
class Lengths:
    """How often, how long, and how many at once."""

    num_rounds: int
    num_tokens: int
    prompt_len: int
    sizes: Sequence[int]
    conversation_len: int = 1000
    has_words: bool = True  # text can be read and written


def _given(members: which.Members) -> tuple[str, dict[str, str], str]:
    """A title, the folder of each role, and the dtype."""
    from eft_integrations.engine.placement import default_dtype

    by_role = members.by_role
    if set(by_role) != {"base", "tuned", "reference"} or not all(
        isinstance(member, (str, Path)) for member in by_role.values()
    ):
        raise InvalidRequest("eft bench needs --base, --tuned and --reference, one of each")
    paths = {role: str(member) for role, member in by_role.items()}
    title = "The embedded family" if members.are_embedded else "The given trio"
    kind = members.dtype or ("float32" if members.are_embedded else "auto")
    return title, paths, default_dtype("cpu") if kind == "auto" else kind


def _built(folder: Path, agreement: float, dtype: str | None) -> tuple[str, dict[str, str], str]:
    """The same of a synthetic trio; in bfloat16, as large models are stored, unless told."""
    from eft_integrations.benchmark.synthetic import build_trio
    from eft_integrations.engine.worker import apart

    kind = "bfloat16" if dtype is None or dtype == "auto" else dtype
    built = apart(lambda: build_trio(folder, agreement, dtype=kind))
    return f"Synthetic trio, agreement {agreement:g}, {kind}", built, kind


def _speed(
    title: str, paths: dict[str, str], kind: str, lengths: Lengths, output: Path | None
) -> None:
    from eft_integrations.benchmark import bars, speed, summary
    from eft_integrations.benchmark.peers import Peers
    from eft_integrations.engine import Engine

    members: Any = paths
    with Peers(paths, kind) as peers:
        told = _economy(peers, paths, kind, lengths)
        with Engine.from_pretrained(
            **members, dtype=kind, device="cpu", lookup=False, prefix_memory=0
        ) as engine:
            found = speed.contenders(
                peers,
                engine,
                num_tokens=lengths.num_tokens,
                prompt_len=lengths.prompt_len,
                sizes=lengths.sizes,
            )
            agreed, timings = _compete(found, lengths)
    lines = list(summary.lines(timings))
    _show(title, lines)
    remarks = summary.remarks(told, timings)
    Console().print("\n".join(remarks), highlight=False)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / "bench.md").write_text(summary.markdown(title, lines, agreed, remarks), "utf-8")
        measured = summary.as_json(title, timings, agreed, told)
        (output / "bench.svg").write_text(bars.svg(title, lines), "utf-8")
        (output / "bench.json").write_text(json.dumps(measured, indent=1), "utf-8")


def _compete(
    found: Sequence[Contender], lengths: Lengths
) -> tuple[Mapping[str, float], list[Timing]]:
    """Check all, then time them; with a bar."""
    from eft_integrations.benchmark import speed

    with bar() as progress:
        progress.begin("checking", 1)
        agreed = speed.agreed(found)
        progress.advance(1)
        progress.begin("rounds, the first to warm up", lengths.num_rounds + 1)
        timings = speed.compete(
            found,
            num_rounds=lengths.num_rounds,
            num_tokens=lengths.num_tokens,
            advance=lambda: progress.advance(1),
        )
    return agreed, timings


def _economy(peers: Peers, paths: dict[str, str], kind: str, lengths: Lengths) -> Economy:
    """What needs an engine that keeps texts which ended."""
    from eft_integrations.benchmark import economy, speed
    from eft_integrations.benchmark.contenders import Trio
    from eft_integrations.engine import Engine

    members: Any = paths
    rounds = lengths.num_rounds
    with Engine.from_pretrained(**members, dtype=kind, device="cpu", lookup=False) as engine:
        size = min(lengths.conversation_len, engine.context_len - 64)
        prompts = [p[:size] for p in speed.prompts_of(engine.vocab_size, rounds + 1, size)]
        return economy.Economy(
            kept=_kept(peers, engine, lengths.num_tokens) if lengths.has_words else None,
            weight_bytes=peers.run(Trio.num_bytes),
            bandwidth=peers.measure(economy.bandwidth),
            turns=economy.turns(engine, prompts[:-1]),
            drafts=list(economy.break_even(engine, prompts[-1], lengths.num_tokens)),
        )


def _kept(peers: Peers, engine: Engine, num_tokens: int) -> Kept:
    """Of drafts of answers to the family's held-out questions."""
    from eft_integrations import tiny
    from eft_integrations.benchmark import coupling
    from eft_integrations.evaluation.questions import load_questions

    questions = load_questions(*tiny.question_files("heldout"))[::_EVERY]
    asked = coupling.asked(engine, questions)
    return peers.run(coupling.kept, asked, coupling.sample(engine, asked, num_tokens))


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
