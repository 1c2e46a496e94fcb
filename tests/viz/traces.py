"""Traces made by hand, for what only draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from eft_integrations import Mixture
from eft_integrations.mixture import BASE
from eft_integrations.viz import Alternative, TokenTrace, Trace
from eft_integrations.viz.measure import shares
from eft_integrations.viz.pieces import signs

CHANCES = {
    BASE: {BASE: 0.9, "tuned": 0.01, "mixture": 0.9},
    "tuned": {BASE: 0.01, "tuned": 0.9, "mixture": 0.9},
    "common": {BASE: 0.9, "tuned": 0.9, "mixture": 0.9},
    "mixture": {BASE: 0.01, "tuned": 0.01, "mixture": 0.9},
    "nobody": {BASE: 1e-6, "tuned": 1e-6, "mixture": 1e-6},
}


def said(*pairs: tuple[str, str], end: bool = False) -> Trace:
    """A trace of ``(speaker, text)`` pairs, and of an end token."""
    coefficients = {BASE: 1.0, "tuned": 1.0, "reference": -1.0}
    tokens = [_token(i, text, CHANCES[speaker]) for i, (speaker, text) in enumerate(pairs)]
    if end:
        tokens.append(_token(len(tokens), "", CHANCES["common"]))
    return Trace(
        text="".join(token.text for token in tokens),
        tokens=tuple(tokens),
        mixture=Mixture(alpha=1.0),
        coefficients=coefficients,
        tuned=("tuned",),
    )


def _token(index: int, text: str, chances: Mapping[str, float]) -> TokenTrace:
    logs = {role: math.log(chance) for role, chance in chances.items()}
    logprob = logs.pop("mixture")
    return TokenTrace(
        index=index,
        token_id=index,
        text=text,
        label=signs(text) or "<|end|>",
        is_control=not text,
        logprob=logprob,
        by_role={**logs, "reference": -1.0},
        contributions={**logs, "reference": 1.0, "normaliser": logprob - sum(logs.values()) - 1.0},
        shares=shares(logprob, logs, {BASE: 1.0, "tuned": 1.0}),
        alternatives=(Alternative(token_id=99, label="<b>else", logprob=-3.0),),
    )
