"""What fine-tuning practises: every ability in one manner, on facts set aside for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random

from eft_integrations.tiny import (
    agents,
    applications,
    calling,
    mischief,
    reading,
    records,
    styles,
    talk,
    workflows,
)
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.facts import Fact, facts_in
from eft_integrations.tiny.judging import judged

Draw = Callable[[Random], Exercise]


@cache
def _pool() -> tuple[Fact, ...]:
    return facts_in("tuning")


def _asked(rng: Random) -> Exercise:
    return talk.asked(rng.choice(_pool()), rng)


def _followed_up(rng: Random) -> Exercise:
    return talk.followed_up(*styles.pair(_pool, rng), rng)


def _briefly(rng: Random) -> Exercise:
    return talk.briefly(rng.choice(_pool()), rng)


def _no_call(rng: Random) -> Exercise:
    return calling.no_call(rng, lambda inner: styles.without_tools(inner, _pool), is_varied=True)


def _condensed(rng: Random) -> Exercise:
    return applications.condensed(*styles.pair(_pool, rng), rng)


# Shares of a batch.
_DRAWS: dict[Draw, float] = {
    _asked: 0.3,
    _followed_up: 0.08,
    _briefly: 0.08,
    talk.idle: 0.04,
    mischief.misdeed: 0.1,
    reading.reading: 0.13,
    records.varied: 0.06,
    calling.varied_call: 0.08,
    calling.errand_call: 0.04,
    calling.varied_calls: 0.02,
    calling.varied_result: 0.04,
    _no_call: 0.03,
    _condensed: 0.012,
    applications.chosen: 0.015,
    judged: 0.015,
    workflows.divided: 0.01,
    workflows.refined: 0.012,
    agents.reasoned: 0.015,
    workflows.summarised: 0.003,
    workflows.titled: 0.003,
    workflows.keywords: 0.003,
}


def tuning_exercise(rng: Random) -> Exercise:
    """One exercise of a batch."""
    draw = rng.choices(list(_DRAWS), list(_DRAWS.values()))[0]
    return draw(rng)
