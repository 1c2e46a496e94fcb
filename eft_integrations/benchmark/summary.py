"""What a competition found, as rows, Markdown and JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch

from eft_integrations.benchmark.economy import Economy
from eft_integrations.benchmark.figures import Spread, spread
from eft_integrations.benchmark.speed import Timing


@dataclass(frozen=True, kw_only=True)
class Line:
    """One contender: tokens a second, and the ratio to the naive loop of one prompt and of a batch.

    Each is (median, least, most) over the rounds; the ratios are taken round by round.
    """

    name: str
    num_rows: int
    rate: Spread
    beside_loop: Spread
    beside_batch: Spread


def lines(timings: Sequence[Timing]) -> Iterator[Line]:
    """A line for each contender; the first of a size is the loop that it is held against."""
    loop = timings[0]
    batches: dict[int, Timing] = {}
    for one in timings:
        batch = batches.setdefault(one.num_rows, one)
        yield Line(
            name=one.name,
            num_rows=one.num_rows,
            rate=spread(one.rates),
            beside_loop=one.against(loop),
            beside_batch=one.against(batch),
        )


def machine() -> str:
    """Processor, cores, threads and torch, in one line."""
    kinds = [name for name, has in torch.cpu.get_capabilities().items() if has is True]
    wide = ", ".join(name for name in kinds if "bf16" in name) or "no bfloat16"
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {wide}; "
        f"torch {torch.__version__}"
    )


def spelled(figure: Spread) -> str:
    """``4.1 (3.9–4.2)``."""
    middle, low, high = figure
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def remarks(told: Economy, timings: Sequence[Timing]) -> list[str]:
    """The floor, when drafts pay, and what a second turn costs, a line each."""
    plain = next(one for one in timings if "no speculation" in one.name)
    drafts = ", ".join(
        f"{one.draft_len}: " + ("never" if one.acceptance is None else f"{one.acceptance:.0%}")
        for one in told.drafts
    )
    sampled = ""
    if told.kept is not None:
        sampled = (
            f" Of sampled text (temperature 1) {told.kept.by_coupling:.1%} of what is drafted is "
            f"kept; rejection sampling, whose texts depend on drafts, keeps "
            f"{told.kept.by_rejection:.1%}."
        )
    size, speed = told.weight_bytes / 1e9, told.bandwidth / 1e9
    return [
        f"Reading {size:.2f} GB of weights a token at {speed:.1f} GB/s allows {told.floor:.2f} "
        f"tokens/s; a prompt alone without speculation takes "
        f"{told.floor / plain.rate:.2f} times as long.",
        f"Drafts pay where they are right more often than (by length) {drafts}.{sampled}",
        f"The second turn after {told.turns.prompt_len} tokens gives its first token in "
        f"{spelled(told.turns.ratio)} of the time of a cold start ({median(told.turns.second):.3f} "
        f"of {median(told.turns.cold):.3f} s).",
    ]


def markdown(
    title: str, found: Sequence[Line], agreed: Mapping[str, float], remarks: Sequence[str]
) -> str:
    """The whole report."""
    head = "| | prompts | tokens/s | × naive loop | × static batch |\n|---|---|---|---|---|\n"
    body = "".join(
        f"| {one.name} | {one.num_rows} | {spelled(one.rate)} | {spelled(one.beside_loop)} "
        f"| {spelled(one.beside_batch)} |\n"
        for one in found
    )
    checks = ", ".join(f"{name} {share:.3f}" for name, share in agreed.items())
    told = "\n".join(f"- {remark}" for remark in remarks)
    return (
        f"# {title}\n\n{machine()}. Medians, with ranges over the rounds; ratios are taken "
        f"round by round.\n\n{head}{body}\nTokens before the first that differs from the naive "
        f"loop's, as a share: {checks}.\n\n{told}\n"
    )


def as_json(
    title: str, timings: Sequence[Timing], agreed: Mapping[str, float], told: Economy
) -> dict[str, Any]:
    """Everything that was measured."""
    return {
        "title": title,
        "machine": machine(),
        "tokens_per_second": [
            {"name": one.name, "num_rows": one.num_rows, "rates": one.rates} for one in timings
        ],
        "agreed": dict(agreed),
        "economy": asdict(told),
    }
