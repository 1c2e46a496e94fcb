"""What an engine takes of memory: at most, and as requests come and go. In a process of its own."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from statistics import median
from typing import Any

from eft_integrations.benchmark.figures import Figure
from eft_integrations.benchmark.footprint import (
    allocated,
    most_resident,
    own,
    resident,
    watched,
)
from eft_integrations.benchmark.speed import prompts_of
from eft_integrations.engine import Engine, MemberConfig
from eft_integrations.engine.members import sketch_member

_PROMPT_LEN, _NUM_TOKENS = 512, 32
_NUM_REQUESTS, _NUM_WARM = 2000, 500
_BATCH = 50
_MAX_PEAK = 1.15
# What is flat: of resident bytes and of those in use, and of Python's blocks half of one a request.
_MAX_RESIDENT, _MAX_IN_USE, _MAX_BLOCKS = 8.0, 1.0, _NUM_REQUESTS / 2


def memory_figures(paths: dict[str, str], dtype: str) -> Iterator[Figure]:
    """The peak of these members, and what 2,000 requests of the embedded family leave behind."""
    yield from _apart(_peak, paths, dtype)
    yield from _apart(_growth)


def _apart(call: Callable[..., list[Figure]], *arguments: Any) -> list[Figure]:
    """What a process held before would be counted with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def _peak(paths: dict[str, str], dtype: str) -> list[Figure]:
    """Above what imports take, against the members' bytes and their caches."""
    before, own_before = resident(), own()
    configs = {r: MemberConfig(path, dtype=dtype, device="cpu") for r, path in paths.items()}
    weights = sum(sketch_member(role, config).num_bytes for role, config in configs.items())
    members: dict[str, Any] = configs
    with watched() as most, Engine.from_pretrained(**members) as engine:
        (prompt,) = prompts_of(engine.vocab_size, 1, _PROMPT_LEN)
        engine.generate(prompt, max_tokens=_NUM_TOKENS)
        caches = engine.stats().kv_bytes
    held = weights + caches
    peak, own_peak = most_resident() - before, most[0] - own_before
    told = f"peak memory above imports, by {held / 1e9:.2f} GB of members and caches"
    return [
        _figure(told, "×", [peak / held], _MAX_PEAK),
        _figure("the same, pages of files left out", "×", [own_peak / held], _MAX_PEAK),
    ]


def _growth() -> list[Figure]:
    """Of 2,000 short requests, after 500 that warm up."""
    counts: list[tuple[float, float, float | None]] = []
    with Engine.tiny() as engine:
        for start in range(0, _NUM_WARM + _NUM_REQUESTS, _BATCH):
            batch = [
                [3 + (7 * number + place) % 500 for place in range(48)]
                for number in range(start, start + _BATCH)
            ]
            engine.generate(batch, max_tokens=8)
            gc.collect()
            counts.append((resident() / 1e6, sys.getallocatedblocks(), _in_use(engine)))
    sizes, blocks, in_use = zip(*counts[_NUM_WARM // _BATCH - 1 :], strict=True)
    told = f"growth over {_NUM_REQUESTS} requests of the embedded family"
    figures = [
        _figure(told, "MB", _above_first(sizes), _MAX_RESIDENT),
        _figure(
            "the same, in blocks of Python's objects", "blocks", _above_first(blocks), _MAX_BLOCKS
        ),
    ]
    if None not in in_use:
        grown = _above_first(in_use)
        figures += [
            _figure("the same, in use beside the caches", "MB", grown, _MAX_IN_USE),
            _figure("the same, were all like the median", "MB", [_steady(grown)], _MAX_IN_USE),
        ]
    return figures


def _in_use(engine: Engine) -> float | None:
    """Megabytes beside the caches, which take the shape of what they hold."""
    count = allocated()
    return None if count is None else (count - engine.stats().kv_bytes) / 1e6


def _steady(values: Sequence[float]) -> float:
    """The growth if every step were the median one: a leak of each request, and no single step."""
    steps = [after - before for before, after in pairwise(values)]
    return median(steps) * len(steps)


def _above_first(values: Sequence[float]) -> list[float]:
    return [value - values[0] for value in values]


def _figure(name: str, unit: str, values: Sequence[float], limit: float) -> Figure:
    """Where it ended, and its range on the way."""
    return Figure(
        name=name, unit=unit, value=values[-1], low=min(values), high=max(values), limit=limit
    )
