"""Attention for training: rows of many documents, each of which reads itself alone.

Each document is a call of torch's fused attention of its own, in float32: with documents of a few
hundred tokens that takes half of the time of blocks with a mask, and a CPU computes the backward
pass of bfloat16 more slowly still.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

NAME = "eft_packed"


def documents_of(ids: torch.Tensor, separator: int) -> torch.Tensor:
    """The number of the document that each token of rows (B, T) belongs to; separators end one.

    No two rows share a number.
    """
    is_end = ids == separator
    is_end[:, -1] = True  # the end of a row cuts its last document
    ends = is_end.flatten().cumsum(0).view_as(ids)
    return ends - is_end.long()


@torch.compiler.disable  # type: ignore[untyped-decorator] # untyped in torch
def _alone(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    documents: torch.Tensor,
    scale: float,
) -> torch.Tensor:
    """Of tokens (H, N, D) in a line: each reads its own document."""
    lens: list[int]
    lens = documents.flatten().unique_consecutive(return_counts=True)[1].tolist()  # type: ignore[no-untyped-call]
    parts = [torch.split(x.float(), lens, dim=1) for x in (query, key, value)]
    with torch.autocast("cpu", enabled=False):
        read = [
            scaled_dot_product_attention(
                q[None], k[None], v[None], is_causal=True, scale=scale, enable_gqa=True
            )[0]
            for q, k, v in zip(*parts, strict=True)
        ]
    return torch.cat(read, dim=1).to(value.dtype)


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
    num_rows, _, num_tokens, _ = query.shape
    in_line = (x.transpose(0, 1).flatten(1, 2) for x in (query, key, value))
    read = _alone(*in_line, documents, scaling)
    return read.transpose(0, 1).unflatten(0, (num_rows, num_tokens)), None


AttentionInterface.register(NAME, packed_attention)
