"""What the slots of a scene, a report or a form are filled with."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

Draw = Callable[[Random], Any]


def one_of(*items: Any) -> Draw:
    return lambda rng: rng.choice(items)


def between(low: int, high: int) -> Draw:
    return lambda rng: rng.randint(low, high)


CITY = one_of("Lisbon", "Toronto", "Nairobi", "Osaka", "Kraków", "Reykjavik", "São Paulo", "Lyon")
PERSON = one_of("Mrs Tanaka", "Piet", "Aoife", "Dr Singh", "Lena Vogt", "Øyvind", "Carla", "王芳")
DISH = one_of("lasagne", "pea soup", "paella", "apple strudel", "ramen", "couscous", "gulasch")
DATE = one_of("2025-03-14", "2026-11-02", "2024-07-30", "2031-01-09")
HOUR = one_of("18:45", "7 am", "noon", "23:10", "half past nine")
SONG = one_of("Blue Harbour", "Yesterday's Rain", "Polska", "Night Train", "Ode to Joy")
WORD = one_of("window", "freedom", "butterfly", "thunder", "homework", "bridge")
TONGUE = one_of("Finnish", "Swahili", "Portuguese", "Korean", "Welsh")
