"""The rule: a weighted sum of log-probabilities, normalised per token.

``log π = log π_base + Σ alpha_i (log π_tuned_i − log π_reference_i) − log Z``
(Mitchell et al. 2023, arXiv 2310.12962, section 3). Rows are independent: each has its own terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eft_integrations.mixture import BASE, Plausibility, Terms
from eft_integrations.rule.filter import nucleus, plausible

# 0 · −inf is nan: a member that forbids a token outright counts as this log-probability instead.
FLOOR = -1e4


@dataclass(frozen=True)
class Mixed:
    """The mixture of N rows.

    ``log_probs`` [N, V] normalised; ``normaliser`` [N] is −log Z; ``outside`` by tuned role:
    bool [N, V], the tokens where the filter replaced the reference by the base.
    """

    log_probs: Tensor
    normaliser: Tensor
    outside: Mapping[str, Tensor]


def log_probabilities(logits: Tensor) -> Tensor:
    """Logits [..., V] of any dtype → float32 log-probabilities, never below ``FLOOR``."""
    # In place: with large vocabularies fresh memory costs more than the arithmetic.
    return torch.log_softmax(logits, dim=-1, dtype=torch.float32).clamp_min_(FLOOR)


def combine(members: Mapping[str, Tensor], terms: Sequence[Terms]) -> Mixed:
    """Mix the members' log-probabilities by the terms of each row.

    ``members``: role → float32 [N, V]; ``terms``: one a row. Weighted sum, then the filter, then
    the plausibility mask, then normalisation.
    """
    scores = _weighted_sum(members, terms)
    outside = _filter(scores, members, terms)
    _mask(scores, members, terms)
    normaliser = -torch.logsumexp(scores, dim=-1)
    return Mixed(scores + normaliser[:, None], normaliser, outside)


def contributions(
    members: Mapping[str, Tensor], terms: Terms, mixed: Mixed, row: int, token: int
) -> dict[str, float]:
    """What each role added to ``mixed.log_probs[row, token]``, and ``normaliser``; sums to it.

    A token that the plausibility mask forbids, which only a grammar can enforce, has ``mask`` too.
    """
    weights = dict(terms.coefficients)
    for term in terms.filters:
        if mixed.outside[term.tuned][row, token]:
            weights[term.reference] += term.amount
            weights[BASE] -= term.amount
    parts = {
        role: c * float(members[role][row, token]) if c else 0.0 for role, c in weights.items()
    }
    parts["normaliser"] = float(mixed.normaliser[row])
    if mixed.log_probs[row, token] == -torch.inf:
        parts["mask"] = -torch.inf
    return parts


def _weighted_sum(members: Mapping[str, Tensor], terms: Sequence[Terms]) -> Tensor:
    """Σ_role coefficient · log π_role → [N, V]; a role whose coefficients are all 0 is not read."""
    first = next(iter(members.values()))
    scores = torch.zeros_like(first)
    for role, log_probs in members.items():
        column = [term.coefficients.get(role, 0.0) for term in terms]
        if any(column):
            scores += first.new_tensor(column)[:, None] * log_probs
    return scores


def _filter(
    scores: Tensor, members: Mapping[str, Tensor], terms: Sequence[Terms]
) -> dict[str, Tensor]:
    """Section 3.3's filter of the up-scaling weights, in place on ``scores``."""
    outside: dict[str, Tensor] = {}
    for row, term_set in enumerate(terms):
        for term in term_set.filters:
            tuned = members[term.tuned]
            kept = nucleus(tuned[row : row + 1], tuned.new_tensor([term_set.filter_top_p]))[0]
            outside.setdefault(term.tuned, torch.zeros_like(tuned, dtype=torch.bool))[row] = ~kept
            shift = members[term.reference][row] - members[BASE][row]
            scores[row] += torch.where(kept, 0.0, term.amount * shift)
    return outside


def _mask(scores: Tensor, members: Mapping[str, Tensor], terms: Sequence[Terms]) -> None:
    """The plausibility mask of each row that has one, in place on ``scores``."""
    for row, term_set in enumerate(terms):
        if term_set.mask is not None:
            kept = _kept(members[term_set.mask.role][row : row + 1], term_set.mask)[0]
            scores[row].masked_fill_(~kept, -torch.inf)


def _kept(log_probs: Tensor, mask: Plausibility) -> Tensor:
    if mask.min_ratio is not None:
        return plausible(log_probs, log_probs.new_tensor([mask.min_ratio]))
    return nucleus(log_probs, log_probs.new_tensor([mask.top_p]))
