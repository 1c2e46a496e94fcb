"""What is kept of drafts is a sum in closed form; the engine's own noise agrees with it."""

from __future__ import annotations

import pytest
import torch

from eft_integrations.benchmark.coupling import by_coupling, by_rejection
from eft_integrations.rule.noise import gumbel

OURS = torch.log_softmax(torch.tensor([1.0, 0.2, -0.5, 0.0, -2.0, 0.7]), -1)
DRAFTER = torch.log_softmax(torch.tensor([0.1, 0.9, -0.5, 0.4, -1.0, -0.7]), -1)


def test_the_noise_of_the_engine_keeps_what_the_sum_says() -> None:
    num, ids = 20_000, torch.arange(6)
    noise = torch.stack([gumbel(3, 0, index, ids) for index in range(num)])
    same = (OURS + noise).argmax(-1) == (DRAFTER + noise).argmax(-1)
    expected = float(by_coupling(OURS[None], DRAFTER[None]))
    # four standard errors
    assert abs(float(same.double().mean()) - expected) < 4 * (0.25 / num) ** 0.5


def test_coupling_keeps_between_its_bound_and_rejections_share() -> None:
    most = float(by_rejection(OURS[None], DRAFTER[None]))
    coupled = float(by_coupling(OURS[None], DRAFTER[None]))
    assert most / (2 - most) <= coupled < most
    assert float(by_coupling(OURS[None], OURS[None])) == pytest.approx(1.0)
