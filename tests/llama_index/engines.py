"""Waiting for an engine of which something was cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

from eft_integrations import Engine

LONG = 480
POLL = 0.001  # seconds; a busy loop would starve the engine's thread


def is_idle(engine: Engine) -> bool:
    stats = engine.stats()
    return stats.num_running == 0 and stats.num_waiting == 0


async def settled(engine: Engine) -> None:
    """One more request: whatever was cancelled before it is over when it is answered."""
    await engine.agenerate("x", max_tokens=2)
    while not is_idle(engine):
        await asyncio.sleep(POLL)


async def running(engine: Engine, task: asyncio.Task[Any]) -> None:
    while engine.stats().num_running == 0 and not task.done():
        await asyncio.sleep(POLL)
