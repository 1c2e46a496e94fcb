"""Plain transformers models in a process of their own.

As their users run them, and so that neither side has to share its cores' threads with the other:
OpenMP puts the threads of a process to sleep between operations once it has more than cores.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any, Self, TypeVar

from eft_integrations.benchmark.contenders import Trio
from eft_integrations.engine.packing import can_pack

T = TypeVar("T")


class Peers:
    """Runs functions of a :class:`Trio` over there; close it, or use it as a context."""

    def __init__(self, paths: dict[str, str], dtype: str) -> None:
        self._which = tuple(sorted(paths.items())), dtype
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    @property
    def can_pack(self) -> bool:
        """Whether packed weights are something else here."""
        return can_pack() and self._which[1] == "bfloat16"

    def run(
        self, call: Callable[..., T], *arguments: Any, is_packed: bool = False, **named: Any
    ) -> T:
        """``call(trio, …)``, with weights packed as the engine packs them or as they were."""
        which = (*self._which, is_packed)
        told: T = self._pool.submit(_on, which, call, *arguments, **named).result()
        return told

    def measure(self, call: Callable[[], T]) -> T:
        """A function that needs no trio."""
        return self._pool.submit(call).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()


def _on(which: tuple[Any, ...], call: Callable[..., T], *arguments: Any, **named: Any) -> T:
    told: T = call(_trio(*which), *arguments, **named)
    return told


@cache
def _trio(paths: tuple[tuple[str, str], ...], dtype: str, is_packed: bool) -> Trio:
    trio = Trio.load(dict(paths), dtype)
    return trio.packed() if is_packed else trio
