"""When drafts pay is a matter of arithmetic, once passes are timed."""

from __future__ import annotations

import pytest
import torch

from eft_integrations.benchmark.contenders import Trio
from eft_integrations.benchmark.economy import Economy, Turns, _needed
from eft_integrations.tiny import trio


@pytest.mark.parametrize(
    ("cost", "length", "needed"),
    [(1.0, 1, 0.0), (1.5, 1, 0.5), (1.75, 2, 0.5), (3.0, 2, 1.0), (3.1, 2, None), (2.0, 1, 1.0)],
)
def test_a_block_pays_from_this_acceptance_on(
    cost: float, length: int, needed: float | None
) -> None:
    found = _needed(cost, length)
    assert found == (None if needed is None else pytest.approx(needed, abs=1e-6))


def test_a_token_reads_every_weight_once() -> None:
    family = Trio.load({role: str(path) for role, path in trio().items()}, "bfloat16")
    # Heads are the embeddings here, and so they are read.
    assert family.num_bytes() == 2 * (4_213_504 + 2 * 839_664)
    family.base.lm_head.weight = torch.nn.Parameter(family.base.lm_head.weight.clone())
    assert family.num_bytes() == 2 * (4_213_504 + 2 * 839_664)


def test_figures_follow_from_times() -> None:
    times = Turns(prompt_len=9, cold=[1.0, 2.0, 4.0], second=[0.5, 0.2, 1.0])
    assert times.ratio == (0.25, 0.1, 0.5)
    assert Economy(weight_bytes=4, bandwidth=8.0, turns=times, drafts=[], kept=None).floor == 2.0
