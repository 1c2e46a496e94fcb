"""What an engine takes of memory: at most, and as requests come and go. In a process of its own."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import psutil

from eft_integrations.benchmark.figures import Figure
from eft_integrations.benchmark.speed import prompts_of
from eft_integrations.engine import Engine, MemberConfig
from eft_integrations.engine.members import sketch_member

_PROMPT_LEN, _NUM_TOKENS = 512, 32
_NUM_REQUESTS, _NUM_WARM = 2000, 500
_BATCH = 50


def memory_figures(paths: dict[str, str], dtype: str) -> Iterator[Figure]:
    """The peak of these members, and what 2,000 requests of the embedded family leave behind."""
    yield _apart(_peak, paths, dtype)
    yield _apart(_growth)


def _apart(call: Callable[..., Figure], *arguments: Any) -> Figure:
    """What a process held before would be counted with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def _peak(paths: dict[str, str], dtype: str) -> Figure:
    """Above what imports take, against the members' bytes and their caches."""
    before = _resident()
    configs = {r: MemberConfig(path, dtype=dtype, device="cpu") for r, path in paths.items()}
    weights = sum(sketch_member(role, config).num_bytes for role, config in configs.items())
    members: dict[str, Any] = configs
    with Engine.from_pretrained(**members) as engine:
        (prompt,) = prompts_of(engine.vocab_size, 1, _PROMPT_LEN)
        engine.generate(prompt, max_tokens=_NUM_TOKENS)
        caches = engine.stats().kv_bytes
    held = weights + caches
    ratio = (_most_resident() - before) / held
    return Figure(
        name=f"peak memory above imports, by {held / 1e9:.2f} GB of members and caches",
        unit="×",
        value=ratio,
        low=ratio,
        high=ratio,
        limit=1.15,
    )


def _growth() -> Figure:
    """Of 2,000 short requests, after 500 that warm up."""
    with Engine.tiny() as engine:
        sizes = []
        for start in range(0, _NUM_WARM + _NUM_REQUESTS, _BATCH):
            batch = [
                [3 + (7 * number + place) % 500 for place in range(48)]
                for number in range(start, start + _BATCH)
            ]
            engine.generate(batch, max_tokens=8)
            gc.collect()
            sizes.append(_resident())
    later = [size / 1e6 for size in sizes[_NUM_WARM // _BATCH - 1 :]]
    return Figure(
        name=f"growth over {_NUM_REQUESTS} requests of the embedded family",
        unit="MB",
        value=later[-1] - later[0],
        low=min(later) - later[0],
        high=max(later) - later[0],
        limit=8.0,
    )


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def _most_resident() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
