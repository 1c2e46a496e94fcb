"""All contenders in one run, in turn, on the same prompts: tokens a second, and ratios by round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from statistics import median
from time import perf_counter

from eft_integrations.benchmark.contenders import Prompt, Trio, large_alone, naive, up_scaled
from eft_integrations.benchmark.figures import Spread, spread
from eft_integrations.engine import Engine

_MIXED = (0.3, 0.6, 1.0, 1.5)
Run = Callable[[], list[Prompt]]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to write ``num_rows`` texts."""

    name: str
    num_rows: int
    run: Run
    is_up_scaled: bool = True  # writes the mixture's text at alpha 1


@dataclass
class Timing:
    """Tokens a second of one contender, one number a round."""

    name: str
    num_rows: int
    rates: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return median(self.rates)

    def against(self, other: Timing) -> Spread:
        """The ratio to another one, round by round."""
        return spread(a / b for a, b in zip(self.rates, other.rates, strict=True))


def prompts_of(size: int, num_rows: int, prompt_len: int) -> list[Prompt]:
    """Seeded token ids, each prompt a little longer than the one before."""
    rng = Random(f"eft-bench/{num_rows}")
    return [
        [rng.randrange(3, size) for _ in range(prompt_len + number)] for number in range(num_rows)
    ]


def contenders(
    trio: Trio, engine: Engine, *, num_tokens: int, prompt_len: int, sizes: Sequence[int]
) -> list[Contender]:
    """The naive loop, transformers' own ways with the base alone, and the engine."""
    banned = sorted(engine.end_ids)
    found = []
    for num_rows in sizes:
        prompts = prompts_of(engine.vocab_size, num_rows, prompt_len)
        mixed = [_MIXED[number % len(_MIXED)] for number in range(num_rows)]
        ours = partial(up_scaled, engine, prompts, num_tokens)
        rows = partial(Contender, num_rows=num_rows)
        batch = "one by one" if num_rows == 1 else "static batch"
        loop = partial(naive, trio, prompts, num_tokens, banned)
        found.append(rows(name=f"naive loop, {batch}", run=loop))
        if num_rows == 1:
            alone = partial(large_alone, trio, prompts, num_tokens)
            helped = partial(alone, is_assisted=True)
            found.append(rows(name="base alone, generate", run=alone, is_up_scaled=False))
            found.append(rows(name="base alone, assisted", run=helped, is_up_scaled=False))
        found.append(rows(name="engine, no speculation", run=partial(ours, speculation="off")))
        found.append(rows(name="engine", run=partial(ours, speculation="auto")))
        if num_rows > 1:
            varied = partial(ours, alphas=mixed, speculation="auto")
            found.append(rows(name="engine, mixed alphas", run=varied, is_up_scaled=False))
    return found


def compete(
    found: Sequence[Contender],
    *,
    num_rounds: int,
    num_tokens: int,
    advance: Callable[[], None] = lambda: None,
) -> list[Timing]:
    """Time all in turn, after a round that warms up; ``advance`` is called after each round."""
    timings = [Timing(one.name, one.num_rows) for one in found]
    for round_number in range(num_rounds + 1):
        for one, timing in zip(found, timings, strict=True):
            start = perf_counter()
            one.run()
            if round_number:
                timing.rates.append(one.num_rows * num_tokens / (perf_counter() - start))
        advance()
    return timings


def agreed(found: Sequence[Contender]) -> Mapping[str, float]:
    """The share of tokens before the first that differs from the naive loop's, by contender.

    1 in float32; in bfloat16 a text may part from it at a near-tie.
    """
    told: dict[int, list[Prompt]] = {}
    shares: dict[str, float] = {}
    for one in found:
        if one.is_up_scaled:
            written = one.run()
            expected = told.setdefault(one.num_rows, written)
            pairs = zip(written, expected, strict=True)
            common = [_common(row, other) / len(other) for row, other in pairs]
            shares[f"{one.name} × {one.num_rows}"] = sum(common) / len(common)
    return shares


def _common(row: Prompt, other: Prompt) -> int:
    pairs = zip(row, other, strict=True)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), len(other))
