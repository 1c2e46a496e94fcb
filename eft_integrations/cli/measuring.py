"""What ``eft bench`` measures, and how it is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from eft_integrations.cli.progress import bar
from eft_integrations.errors import InvalidRequest

if TYPE_CHECKING:
    from eft_integrations.benchmark.coupling import Kept
    from eft_integrations.benchmark.economy import Economy
    from eft_integrations.benchmark.figures import Figure
    from eft_integrations.benchmark.peers import Peers
    from eft_integrations.benchmark.speed import Contender, Timing
    from eft_integrations.engine import Engine

# Of the family's held-out questions, for texts that are sampled.
_EVERY = 24


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A title, the folder of each role, and the dtype. ``has_words``: its texts can be read."""

    title: str
    paths: dict[str, str]
    dtype: str
    has_words: bool = True


@dataclass(frozen=True)
class Lengths:
    """How often, how long, and how many at once."""

    num_rounds: int
    num_tokens: int
    prompt_len: int
    sizes: Sequence[int]
    conversation_len: int = 1000


def speed(trio: Measured, lengths: Lengths, output: Path | None) -> None:
    """Every way to write, in turn; a table, and files in ``output``."""
    from eft_integrations.benchmark import bars, summary
    from eft_integrations.benchmark.peers import Peers
    from eft_integrations.benchmark.speed import contenders
    from eft_integrations.engine import Engine

    members: Any = trio.paths
    with Peers(trio.paths, trio.dtype) as peers:
        told = _economy(peers, trio, lengths)
        with Engine.from_pretrained(
            **members, dtype=trio.dtype, device="cpu", lookup=False, prefix_memory=0
        ) as engine:
            found = contenders(
                peers,
                engine,
                num_tokens=lengths.num_tokens,
                prompt_len=lengths.prompt_len,
                sizes=lengths.sizes,
            )
            agreed, timings = _compete(found, lengths)
    lines = list(summary.lines(timings))
    _show(trio.title, lines)
    remarks = summary.remarks(told, timings)
    Console().print("\n".join(remarks), highlight=False)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / "bench.md").write_text(
            summary.markdown(trio.title, lines, agreed, remarks), "utf-8"
        )
        measured = summary.as_json(trio.title, timings, agreed, told)
        (output / "bench.svg").write_text(bars.svg(trio.title, lines), "utf-8")
        (output / "bench.json").write_text(json.dumps(measured, indent=1), "utf-8")


def _compete(
    found: Sequence[Contender], lengths: Lengths
) -> tuple[Mapping[str, float], list[Timing]]:
    """Check all, then time them; with a bar."""
    from eft_integrations.benchmark.speed import agreed, compete

    with bar() as progress:
        progress.begin("checking", 1)
        shares = agreed(found)
        progress.advance(1)
        progress.begin("rounds, the first to warm up", lengths.num_rounds + 1)
        timings = compete(
            found,
            num_rounds=lengths.num_rounds,
            num_tokens=lengths.num_tokens,
            advance=lambda: progress.advance(1),
        )
    return shares, timings


def _economy(peers: Peers, trio: Measured, lengths: Lengths) -> Economy:
    """What needs an engine that keeps texts which ended."""
    from eft_integrations.benchmark import economy
    from eft_integrations.benchmark.contenders import Trio
    from eft_integrations.benchmark.speed import prompts_of
    from eft_integrations.engine import Engine

    members: Any = trio.paths
    rounds = lengths.num_rounds
    with Engine.from_pretrained(**members, dtype=trio.dtype, device="cpu", lookup=False) as engine:
        size = min(lengths.conversation_len, engine.context_len - 64)
        prompts = [p[:size] for p in prompts_of(engine.vocab_size, rounds + 1, size)]
        return economy.Economy(
            kept=_kept(peers, engine, lengths.num_tokens) if trio.has_words else None,
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
    asked = coupling.asked(engine, [one.messages for one in questions])
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


def langchain(trio: Measured, rounds: int) -> None:
    """What ChatEFT costs beside the engine."""
    from eft_integrations.engine import Engine

    try:
        from eft_integrations.benchmark.langchain import langchain_figures
    except ImportError as error:
        raise InvalidRequest(str(error)) from error
    members: Any = trio.paths
    with Engine.from_pretrained(**members, dtype=trio.dtype, device="cpu") as engine:
        _show_figures("langchain", langchain_figures(engine, num_rounds=rounds))


def memory(trio: Measured) -> None:
    """What these members take, and whether requests leave something behind."""
    from eft_integrations.benchmark.memory import memory_figures

    _show_figures("memory", memory_figures(trio.paths, trio.dtype))


def _show_figures(title: str, figures: Iterable[Figure]) -> None:
    """With the limits that they are held to."""
    table = Table(box=box.ASCII)
    for name in (title, "median", "range", "limit", ""):
        table.add_column(name, justify="left" if name == title else "right")
    for one in figures:
        table.add_row(
            one.name,
            f"{one.value:.2f} {one.unit}",
            f"{one.low:.2f} to {one.high:.2f}",
            f"{one.limit:g} {one.unit}",
            "✓" if one.is_held else "✗",
        )
    Console().print(table)
