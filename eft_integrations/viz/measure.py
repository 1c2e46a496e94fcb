"""Who said a token: its probability, divided among those who would have said it. Pure.

With b, t, m the probabilities of one token under the base alone, under the tuned member alone and
under the mixture, and M = max(b, t, m):

    common   min(b, t) / M          both would have said it
    base     max(b − t, 0) / M      the base's knowledge
    tuned    max(t − b, 0) / M      the tuned member's manner
    mixture  (M − max(b, t)) / M    neither alone: their sum made it likely

Over a whole vocabulary the sum of min(b, t) is the overlap of the two distributions (1 − their
total variation), so a share is a token's part in what two models have in common and in what they
have not. Where M is below 1 % nobody would have said the token: all four are multiplied by
M / 1 %, and ``nobody`` has the rest. The five sum to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from eft_integrations.mixture import BASE

COMMON = "common"
MIXTURE = "mixture"
NOBODY = "nobody"
UNLIKELY = 0.01


def shares(
    logprob: float, alone: Mapping[str, float], coefficients: Mapping[str, float]
) -> dict[str, float]:
    """One token's shares by speaker: ``common``, ``base``, tuned roles, ``mixture``, ``nobody``.

    ``logprob`` under the mixture; ``alone``: log-probability under ``base`` and under each tuned
    role. A role whose coefficient is not above 0 is not listened to and gets nothing. Of several
    tuned members the likeliest counts as t, and what they said without the base is divided among
    them by coefficient × probability.
    """
    heard = {role: value for role, value in alone.items() if coefficients.get(role, 0.0) > 0}
    top = max([logprob, *heard.values()])
    # relative to the likeliest, so that nothing underflows: M is 1 here
    likely = {role: math.exp(value - top) for role, value in heard.items()}
    base = likely.pop(BASE, 0.0)
    tuned = max(likely.values(), default=0.0)
    common = min(base, tuned)
    parts = {
        COMMON: common,
        BASE: base - common,
        **_divided(tuned - common, {role: coefficients[role] * p for role, p in likely.items()}),
        MIXTURE: 1.0 - max(base, tuned),
    }
    somebody = min(1.0, math.exp(top) / UNLIKELY)
    scaled = {speaker: part * somebody for speaker, part in parts.items()}
    return {**scaled, NOBODY: 1.0 - somebody}


def _divided(amount: float, weights: Mapping[str, float]) -> dict[str, float]:
    """``amount`` in proportion to the weights; they may all be 0, and so is the amount then."""
    whole = sum(weights.values()) or 1.0
    return {role: amount * weight / whole for role, weight in weights.items()}
