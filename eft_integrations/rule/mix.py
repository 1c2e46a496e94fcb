"""The rule: a weighted sum of log-probabilities, normalised per token.

``log π = log π_base + Σ alpha_i (log π_tuned_i − log π_reference_i) − log Z``
(Mitchell et al. 2023, arXiv 2310.12962, section 3). Rows are independent: each has its own terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eft_integrations.mixture import BASE, Terms
from eft_integrations.rule.columns import Columns, Filter, Mask, columns_of
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
    scores, outside = mix(members, columns_of(terms, members))
    normaliser = -torch.logsumexp(scores, dim=-1)
    return Mixed(scores + normaliser[:, None], normaliser, outside)


def mix(members: Mapping[str, Tensor], columns: Columns) -> tuple[Tensor, dict[str, Tensor]]:
    """The mixture without its normaliser: scores [N, V], and what the filters left outside.

    Tensors only: no row is visited by Python, and nothing is read back from the device. Where
    ``columns`` has neither filter nor mask, ``members`` may be logits: they differ from
    log-probabilities by a constant a row.
    """
    scores = _weighted_sum(members, columns.weights)
    outside = {one.tuned: _filter(scores, members, one) for one in columns.filters}
    for mask in columns.masks:
        _mask(scores, members, mask)
    return scores, outside


def contributions(
    members: Mapping[str, Tensor], terms: Terms, mixed: Mixed, row: int, token: int
) -> dict[str, float]:
    """What each role added to ``mixed.log_probs[row, token]``, and ``normaliser``; sums to it.

    A token that the plausibility mask forbids, which only a grammar can enforce, has ``mask`` too.
    """
    told = _told(members, mixed, row, token)
    weights = dict(terms.coefficients)
    for term in terms.filters:
        if told["outside", term.tuned]:
            weights[term.reference] += term.amount
            weights[BASE] -= term.amount
    parts = {role: c * told["member", role] if c else 0.0 for role, c in weights.items()}
    parts["normaliser"] = told["mixed", "normaliser"]
    if told["mixed", "log_prob"] == -torch.inf:
        parts["mask"] = -torch.inf
    return parts


def _told(
    members: Mapping[str, Tensor], mixed: Mixed, row: int, token: int
) -> dict[tuple[str, str], float]:
    """What all tensors say of one token of a row: one transfer."""
    found = {("member", role): one[row, token] for role, one in members.items()}
    found |= {("outside", role): one[row, token].float() for role, one in mixed.outside.items()}
    found["mixed", "normaliser"] = mixed.normaliser[row]
    found["mixed", "log_prob"] = mixed.log_probs[row, token]
    return dict(zip(found, torch.stack([*found.values()]).tolist(), strict=True))


def _weighted_sum(members: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> Tensor:
    """Σ_role coefficient · log π_role → [N, V]; a role without a column is not read."""
    scores = torch.zeros_like(next(iter(members.values())))
    for role, column in weights.items():
        scores += column[:, None] * members[role]
    return scores


def _filter(scores: Tensor, members: Mapping[str, Tensor], one: Filter) -> Tensor:
    """Section 3.3's filter of the up-scaling weights, in place on ``scores``; what is outside."""
    tuned, rows = members[one.tuned], one.rows
    kept = nucleus(tuned[rows], one.top_p)
    shift = members[one.reference][rows] - members[BASE][rows]
    scores[rows] += torch.where(kept, 0.0, one.amount[:, None] * shift)
    outside = torch.zeros_like(tuned, dtype=torch.bool)
    outside[rows] = ~kept
    return outside


def _mask(scores: Tensor, members: Mapping[str, Tensor], mask: Mask) -> None:
    """The plausibility mask, in place on ``scores``."""
    judge = nucleus if mask.kind == "top_p" else plausible
    kept = judge(members[mask.role][mask.rows], mask.limit)
    scores[mask.rows] = scores[mask.rows].masked_fill(~kept, -torch.inf)
