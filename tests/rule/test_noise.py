"""Gumbel noise: a pure function, and a sample from the right distribution."""

from __future__ import annotations

import math

import torch

from eft_integrations.engine.sampling import choose
from eft_integrations.request import Sampling
from eft_integrations.rule import gumbel

IDS = torch.arange(50_000)


def test_noise_is_a_pure_function_of_seed_choice_index_and_id() -> None:
    noise = gumbel(7, 0, 3, IDS)
    assert torch.equal(noise, gumbel(7, 0, 3, IDS))
    assert torch.equal(noise[100:200], gumbel(7, 0, 3, IDS[100:200]))
    for other in ((8, 0, 3), (7, 1, 3), (7, 0, 4)):
        assert (noise == gumbel(*other, IDS)).float().mean() < 0.001


def test_noise_has_the_moments_of_a_gumbel_distribution() -> None:
    noise = gumbel(0, 0, 0, IDS)
    euler, deviation = 0.5772156649, math.pi / math.sqrt(6)
    standard_error = deviation / math.sqrt(len(IDS))
    assert abs(float(noise.mean()) - euler) < 4 * standard_error
    assert abs(float(noise.std()) - deviation) < 0.03


def test_neighbouring_indices_and_seeds_are_uncorrelated() -> None:
    first = gumbel(1, 0, 0, IDS)
    for other in (gumbel(1, 0, 1, IDS), gumbel(2, 0, 0, IDS), gumbel(1, 0, 0, IDS + 1)):
        assert abs(float(torch.corrcoef(torch.stack([first, other]))[0, 1])) < 0.02


def test_sampled_frequencies_match_the_distribution() -> None:
    """Chi-square on a toy vocabulary at 99.9 %, over indices and over seeds."""
    log_probs = torch.tensor([0.4, 0.25, 0.15, 0.1, 0.06, 0.04]).log()
    num = 6000
    for draw in (lambda i: (11, i), lambda i: (i, 0)):
        counts = torch.zeros(6)
        for i in range(num):
            seed, index = draw(i)
            sampling = Sampling(temperature=1.0, seed=seed)
            counts[choose(log_probs, sampling, choice=0, index=index)] += 1
        expected = log_probs.exp() * num
        assert float(((counts - expected) ** 2 / expected).sum()) < 20.5  # 5 degrees of freedom
