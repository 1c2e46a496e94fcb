"""All contenders in one run, in turn, on the same prompts: tokens a second, and ratios by round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from statistics import median
from time import perf_counter

from eft_integrations.benchmark.contenders import Prompt, large_alone, naive, up_scaled
from eft_integrations.benchmark.figures import Spread, spread
from eft_integrations.benchmark.peers import Peers
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
    peers: Peers, engine: Engine, *, num_tokens: int, prompt_len: int, sizes: Sequence[int]
) -> list[Contender]:
    """The naive loop, transformers' own ways with the base alone, and the engine."""
    found: list[Contender] = []
    for num_rows in sizes:
        prompts = prompts_of(engine.vocab_size, num_rows, prompt_len)
        found += _of_peers(peers, prompts, num_tokens, banned=sorted(engine.end_ids))
        found += _of_engine(engine, prompts, num_tokens)
    return found


def _of_peers(
    peers: Peers, prompts: list[Prompt], num_tokens: int, *, banned: Sequence[int]
) -> Iterator[Contender]:
    """Without packed weights, and with them where this machine has such products."""
    is_alone = len(prompts) == 1
    batch = "one by one" if is_alone else "static batch"
    rows = partial(Contender, num_rows=len(prompts))
    for is_packed in (False, True) if peers.can_pack else (False,):
        run = partial(peers.run, is_packed=is_packed)
        note = ", packed" if is_packed else ""
        yield rows(
            name=f"naive loop, {batch}{note}", run=partial(run, naive, prompts, num_tokens, banned)
        )
        if is_alone:
            alone = partial(run, large_alone, prompts, num_tokens)
            helped = partial(alone, is_assisted=True)
            yield rows(name=f"base alone, generate{note}", run=alone, is_up_scaled=False)
            yield rows(name=f"base alone, assisted{note}", run=helped, is_up_scaled=False)


def _of_engine(engine: Engine, prompts: list[Prompt], num_tokens: int) -> Iterator[Contender]:
    rows = partial(Contender, num_rows=len(prompts))
    ours = partial(up_scaled, engine, prompts, num_tokens)
    yield rows(name="engine, no speculation", run=partial(ours, speculation="off"))
    yield rows(name="engine", run=partial(ours, speculation="auto"))
    if len(prompts) > 1:
        mixed = [_MIXED[number % len(_MIXED)] for number in range(len(prompts))]
        varied = partial(ours, alphas=mixed, speculation="auto")
        yield rows(name="engine, mixed alphas", run=varied, is_up_scaled=False)


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
