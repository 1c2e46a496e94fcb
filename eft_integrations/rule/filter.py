"""Which tokens a member finds plausible. All functions: float32 in, bool out, row by row."""

from __future__ import annotations

import torch
from torch import Tensor


def nucleus(log_probs: Tensor, top_p: Tensor) -> Tensor:
    """The smallest set of most probable tokens whose mass reaches ``top_p``.

    ``log_probs`` [N, V] normalised, ``top_p`` [N] in (0, 1] → bool [N, V]. Never empty; ties go
    to the lowest id. A top_p of 1 keeps every token. Holtzman et al. 2020, arXiv 1904.09751.
    """
    ordered, ids = log_probs.sort(dim=-1, descending=True, stable=True)
    probs = ordered.exp()
    mass_before = probs.cumsum(-1) - probs
    kept = (mass_before < top_p[:, None]) | (top_p[:, None] >= 1)
    kept[:, 0] = True
    return torch.zeros_like(kept).scatter(-1, ids, kept)


def plausible(log_probs: Tensor, min_ratio: Tensor) -> Tensor:
    """Tokens with at least ``min_ratio`` [N] of the row's top probability → bool [N, V].

    Li et al. 2023, arXiv 2210.15097, equation 2.
    """
    top = log_probs.max(dim=-1, keepdim=True).values
    return log_probs >= top + min_ratio.log()[:, None]
