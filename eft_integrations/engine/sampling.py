"""Choosing a token: bias → penalties → grammar mask → temperature, top-k, top-p, min-p → argmax.

Every function takes and returns the scores of one row, float32 [V].
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from eft_integrations.request import Sampling
from eft_integrations.rule import gumbel, nucleus


def adjust(
    log_probs: Tensor, sampling: Sampling, prompt: Sequence[int], output: Sequence[int]
) -> Tensor:
    """Bias and penalties; the row itself where none is asked for."""
    scores = log_probs
    if sampling.logit_bias:
        ids = torch.tensor(list(sampling.logit_bias), device=scores.device)
        bias = scores.new_tensor(list(sampling.logit_bias.values()))
        scores = scores.index_add(0, ids, bias)
    if sampling.repetition_penalty != 1.0:
        scores = _repetition(scores, sampling.repetition_penalty, [*prompt, *output])
    if output and (sampling.presence_penalty or sampling.frequency_penalty):
        scores = _occurrence(scores, sampling, output)
    return scores


def _repetition(scores: Tensor, penalty: float, seen: Sequence[int]) -> Tensor:
    """Keskar et al. 2019, arXiv 1909.05858: multiply below 0, divide above (after a bias)."""
    ids = torch.tensor(sorted({i for i in seen if i < len(scores)}), device=scores.device)
    found = scores[ids]
    return scores.index_copy(0, ids, torch.where(found > 0, found / penalty, found * penalty))


def _occurrence(scores: Tensor, sampling: Sampling, output: Sequence[int]) -> Tensor:
    """Presence once, frequency per occurrence in the output."""
    counts = torch.bincount(torch.tensor(output, device=scores.device), minlength=len(scores))
    penalty = sampling.presence_penalty * (counts > 0) + sampling.frequency_penalty * counts
    return scores - penalty[: len(scores)]


def choose(scores: Tensor, sampling: Sampling, *, choice: int, index: int) -> Tensor:
    """The token id as a scalar tensor; temperature 0 is argmax, ties to the lowest id."""
    if sampling.temperature == 0:
        return scores.argmax()
    # float64: a tiny temperature must not make nan of 0 / 0
    scaled = (scores - scores.max()).double() / sampling.temperature
    kept = keep(scaled, sampling).nonzero()[:, 0]
    assert sampling.seed is not None, "the engine gives every request a seed"
    noise = gumbel(sampling.seed, choice, index, kept)
    return kept[(scaled[kept] + noise).argmax()]


def keep(scaled: Tensor, sampling: Sampling) -> Tensor:
    """Bool [V]: what top-k, then top-p, then min-p leave of the scaled scores; never empty."""
    kept = scaled > -torch.inf
    if sampling.top_k is not None and sampling.top_k < len(scaled):
        ranked = scaled.sort(descending=True, stable=True).indices[: sampling.top_k]
        kept = kept & torch.zeros_like(kept).index_fill(0, ranked, True)
    if sampling.top_p is not None and sampling.top_p < 1:
        log_probs = scaled.masked_fill(~kept, -torch.inf).log_softmax(-1)
        kept = kept & nucleus(log_probs[None], scaled.new_tensor([sampling.top_p]))[0]
    if sampling.min_p:
        log_probs = scaled.masked_fill(~kept, -torch.inf).log_softmax(-1)
        kept = kept & (log_probs.exp() >= sampling.min_p * log_probs.max().exp())
    return kept
