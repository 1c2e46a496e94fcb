"""What the tests of the harness share: requests as the harness makes them, and a long text."""

from __future__ import annotations

from typing import Any

from lm_eval.api.instance import Instance

LONG = "the quick brown fox jumps over the lazy dog and " * 60


def ask(kind: str, *requests: tuple[Any, ...]) -> list[Instance]:
    return [Instance(kind, {}, args, number) for number, args in enumerate(requests)]
