"""Attention for training: rows of many documents, each of which reads itself alone.

Blocks of queries meet only the keys before them, as matrix products. With short rows and few heads
that takes a third of the time that torch's fused attention takes on a CPU, forward and backward.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface

NAME = "eft_packed"
_MIN_BLOCK = 128
_MAX_NUM_BLOCKS = 8


def documents_of(ids: torch.Tensor, separator: int) -> torch.Tensor:
    """The number of the document that each token of rows (B, T) belongs to; separators end one."""
    is_end = ids == separator
    return is_end.cumsum(dim=1) - is_end.long()


def _attended(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float
) -> torch.Tensor:
    scores = (query @ key.mT).float() * scale
    shares = scores.masked_fill(~mask, -1e9).softmax(dim=-1)
    return shares.to(value.dtype) @ value


def packed_attention(
    module: torch.nn.Module,  # noqa: ARG001 — as transformers calls it
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001 — none is made for an attention of ours
    *,
    documents: torch.Tensor,
    scaling: float,
    **kwargs: Any,  # noqa: ARG001 — as transformers calls it
) -> tuple[torch.Tensor, None]:
    """Causal attention inside documents.

    ``query`` (B, H, T, D), ``key`` and ``value`` (B, K, T, D), ``documents`` (B, T) as
    :func:`documents_of` gives; returns (B, T, H, D).
    """
    num_tokens = query.shape[2]
    if query.shape[1] != key.shape[1]:
        groups = query.shape[1] // key.shape[1]
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    size = max(_MIN_BLOCK, -(-num_tokens // _MAX_NUM_BLOCKS))
    places = torch.arange(num_tokens)
    parts = []
    for start in range(0, num_tokens, size):
        end = min(start + size, num_tokens)
        is_before = places[None, :end] <= places[start:end, None]
        is_same = documents[:, None, start:end, None] == documents[:, None, None, :end]
        parts.append(
            _attended(
                query[:, :, start:end],
                key[:, :, :end],
                value[:, :, :end],
                is_before & is_same,
                scaling,
            )
        )
    return torch.cat(parts, dim=2).transpose(1, 2), None


AttentionInterface.register(NAME, packed_attention)
