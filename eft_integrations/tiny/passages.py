"""Texts written by hand with slots, the questions that they answer, and those that they do not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from eft_integrations.tiny.draws import MATERIAL, draw_of


@dataclass(frozen=True)
class Passage:
    """A text, what draws its slots, and questions: pairs with the slot that answers."""

    text: str
    slots: Mapping[str, str]
    asks: Sequence[tuple[str, str]]
    unknown: Sequence[str]

    def values(self, rng: Random) -> dict[str, Any]:
        """A value for every slot, all different, so that a question has one answer."""
        while True:
            values = {key: draw_of(kind)(rng) for key, kind in self.slots.items()}
            if len({*map(str, values.values())}) == len(values):
                return values


@cache
def passages() -> tuple[Passage, ...]:
    """All passages of the material."""
    lines = (MATERIAL / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(Passage(**json.loads(line)) for line in lines)
