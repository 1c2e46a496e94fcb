"""What the engine samples is the distribution that the rule computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from eft_integrations import Mixture
from eft_integrations.engine.core import Core
from eft_integrations.engine.detokenize import Detokenizer
from eft_integrations.engine.scripted import Script, scripted_core
from eft_integrations.engine.sequence import Sequence, Sink
from eft_integrations.mixture import Roles, resolve
from eft_integrations.request import MemberStats, Request, Sampling
from eft_integrations.rule import combine, log_probabilities

LOGITS = {
    "base": torch.tensor([1.0, 0.5, 0.0, -0.5, 0.2, -1.0]),
    "tuned": torch.tensor([0.0, 1.5, 0.3, 0.1, -0.4, 0.6]),
    "reference": torch.tensor([0.2, 0.1, 0.9, -0.2, 0.0, -0.3]),
}
ROLES = Roles(tuned=("tuned",), reference_of={"tuned": "reference"}, available=tuple(LOGITS))
NUM = 4000
# 99.9 % quantiles of chi-square for 1 to 5 degrees of freedom.
LIMITS = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52}


def always(logits: Tensor) -> Script:
    return lambda _row: logits


def mixed_sequence(
    mixture: Mixture, sampling: Sampling, sink: Sink, prompt: tuple[int, ...] = (0,)
) -> Sequence:
    """A request to all three roles, with one prompt for all."""
    request = Request(
        prompts=dict.fromkeys(LOGITS, prompt),
        mixture=mixture,
        terms=resolve(mixture, ROLES),
        sampling=sampling,
    )
    return Sequence(request, sink=sink, detokenizer=Detokenizer(str, prompt))


def written(
    core: Core, mixture: Mixture, sampling: Sampling
) -> tuple[list[int], Mapping[str, MemberStats]]:
    """The tokens that the core writes after token 0, and what its members did for them."""
    items: list[Any] = []
    core.scheduler.waiting.append(mixed_sequence(mixture, sampling, items.append))
    while core.step():
        pass
    return [item.token_id for item in items], items[-1].stats


def chi_square_fits(tokens: list[int], mixture: Mixture, sampling: Sampling) -> bool:
    """Whether the tokens are a sample of the mixture of ``LOGITS``, at 99.9 %."""
    members = {role: log_probabilities(logits[None]) for role, logits in LOGITS.items()}
    scaled = combine(members, [resolve(mixture, ROLES)]).log_probs[0] / sampling.temperature
    if sampling.top_k is not None:
        scaled[scaled.argsort(descending=True)[sampling.top_k :]] = -torch.inf
    expected = scaled.softmax(-1) * len(tokens)
    counts = torch.bincount(torch.tensor(tokens), minlength=6)
    kept = expected > 0
    assert not counts[~kept].any()
    statistic = float(((counts - expected)[kept] ** 2 / expected[kept]).sum())
    return statistic < LIMITS[int(kept.sum()) - 1]


@pytest.mark.parametrize(
    ("mixture", "sampling"),
    [
        (Mixture(alpha=0.7), Sampling(temperature=1.0, seed=1, max_tokens=NUM)),
        (Mixture(alpha=1.5), Sampling(temperature=0.6, seed=2, max_tokens=NUM)),
        (Mixture(beta=1.3, filter_top_p=0.7), Sampling(temperature=1.0, seed=3, max_tokens=NUM)),
        (Mixture(alpha=1.0), Sampling(temperature=1.2, top_k=4, seed=4, max_tokens=NUM)),
    ],
    ids=str,
)
def test_sampled_frequencies_match_the_mixture(mixture: Mixture, sampling: Sampling) -> None:
    core = scripted_core({role: always(logits) for role, logits in LOGITS.items()}, size=6)
    tokens, _ = written(core, mixture, sampling)
    assert chi_square_fits(tokens, mixture, sampling)
