"""Hidden states side by side with the coefficients of their row, in one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pack(states: Sequence[Tensor], rows: Tensor) -> Tensor:
    """States [T, H] of one dtype and rows float32 [T, C] → [T, ΣH + columns].

    The bits of the rows are kept: a float32 takes two columns of bfloat16.
    """
    return torch.cat([*states, rows.contiguous().view(states[0].dtype)], dim=-1)


def unpack(packed: Tensor, sizes: Sequence[int]) -> tuple[list[Tensor], Tensor]:
    """The inverse of ``pack`` for states of these sizes: each contiguous, and the rows."""
    parts = torch.split(packed, [*sizes, packed.shape[-1] - sum(sizes)], dim=-1)
    *states, rows = (part.contiguous() for part in parts)
    return states, rows.view(torch.float32)
