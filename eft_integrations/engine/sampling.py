"""Choosing a token: bias → penalties → grammar mask → temperature, top-k, top-p, min-p → argmax.

Every function takes and returns the scores of one row, float32 [V].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from eft_integrations.request import Sampling
from eft_integrations.rule import gumbel, nucleus, sent


def adjust(
    log_probs: Tensor, sampling: Sampling, prompt: Sequence[int], output: Sequence[int]
) -> Tensor:
    """Bias and penalties; the row itself where none is asked for."""
    scores = log_probs
    if sampling.logit_bias:
        ids = sent(torch.tensor(list(sampling.logit_bias)), scores.device)
        bias = torch.tensor(list(sampling.logit_bias.values()), dtype=scores.dtype)
        scores = scores.index_add(0, ids, sent(bias, scores.device))
    if sampling.repetition_penalty != 1.0:
        scores = _repetition(scores, sampling.repetition_penalty, [*prompt, *output])
    if output and (sampling.presence_penalty or sampling.frequency_penalty):
        scores = _occurrence(scores, sampling, output)
    return scores


def _repetition(scores: Tensor, penalty: float, seen: Sequence[int]) -> Tensor:
    """Keskar et al. 2019, arXiv 1909.05858: multiply below 0, divide above (after a bias)."""
    ids = sent(torch.tensor(sorted({i for i in seen if i < len(scores)})), scores.device)
    found = scores[ids]
    return scores.index_copy(0, ids, torch.where(found > 0, found / penalty, found * penalty))


def _occurrence(scores: Tensor, sampling: Sampling, output: Sequence[int]) -> Tensor:
    """Presence once, frequency per occurrence in the output."""
    # Counted on the host: a GPU would have to tell it how many there are.
    found = Counter(output)
    ids, counts = torch.tensor([*found]), torch.tensor([*found.values()], dtype=scores.dtype)
    penalty = sampling.presence_penalty + sampling.frequency_penalty * counts
    return scores.index_add(0, sent(ids, scores.device), sent(-penalty, scores.device))


def choose(scores: Tensor, sampling: Sampling, *, choice: int, index: int) -> Tensor:
    """The token id as a scalar tensor; temperature 0 is argmax, ties to the lowest id."""
    if sampling.temperature == 0:
        return scores.argmax()
    # float64: a tiny temperature must not make nan of 0 / 0
    scaled = (scores - scores.max()).double() / sampling.temperature
    assert sampling.seed is not None, "the engine gives every request a seed"
    noise = partial(gumbel, sampling.seed, choice, index)
    kept = keep(scaled, sampling)
    if scores.is_cuda:  # GPU only: not run on a machine without one
        return drawn_without_reading(scaled, kept, noise)
    return drawn(scaled, kept, noise)


def drawn(scaled: Tensor, kept: Tensor, noise: Callable[[Tensor], Tensor]) -> Tensor:
    """The id [] among ``kept``, bool [V], whose score and noise add up to most."""
    ids = kept.nonzero()[:, 0]
    return ids[(scaled[ids] + noise(ids)).argmax()]


def drawn_without_reading(
    scaled: Tensor, kept: Tensor, noise: Callable[[Tensor], Tensor]
) -> Tensor:
    """The same with noise for all ids: the host need not know how many are kept."""
    ids = torch.arange(len(scaled), device=scaled.device)
    return (scaled + noise(ids)).masked_fill(~kept, -torch.inf).argmax()


def keep(scaled: Tensor, sampling: Sampling) -> Tensor:
    """Bool [V]: what top-k, then top-p, then min-p leave of the scaled scores; never empty."""
    kept = scaled > -torch.inf
    if sampling.top_k is not None and sampling.top_k < len(scaled):
        ranked = scaled.sort(descending=True, stable=True).indices[: sampling.top_k]
        kept = kept & torch.zeros_like(kept).index_fill(0, ranked, True)
    if sampling.top_p is not None and sampling.top_p < 1:
        log_probs = scaled.masked_fill(~kept, -torch.inf).log_softmax(-1)
        kept = kept & nucleus(log_probs[None], torch.full_like(scaled[:1], sampling.top_p))[0]
    if sampling.min_p:
        log_probs = scaled.masked_fill(~kept, -torch.inf).log_softmax(-1)
        kept = kept & (log_probs.exp() >= sampling.min_p * log_probs.max().exp())
    return kept
