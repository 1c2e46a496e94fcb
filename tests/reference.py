"""The specification: slow and right. No cache, no batch, one full forward pass per token and role.

Every fast path must equal it, token for token in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Reference:
    """What the naive loop wrote, with the gap between the two best tokens of each step."""

    token_ids: list[int]
    logprobs: list[float]
    gaps: list[float]


@torch.inference_mode()
def next_log_probs(
    models: Mapping[str, Any],
    prompts: Mapping[str, Sequence[int]],
    output: Sequence[int],
    coefficients: Mapping[str, float],
    size: int,
) -> Tensor:
    """The rule for one position: float32 [size], normalised."""
    total = torch.zeros(size)
    for role, model in models.items():
        ids = torch.tensor([[*prompts[role], *output]])
        logits = model(ids, use_cache=False).logits[0, -1, :size].float()
        total += coefficients.get(role, 0.0) * torch.log_softmax(logits, -1)
    return torch.log_softmax(total, -1)


def generate(
    models: Mapping[str, Any],
    prompts: Mapping[str, Sequence[int]],
    coefficients: Mapping[str, float],
    *,
    max_tokens: int,
    size: int,
    end_ids: Sequence[int] = (),
) -> Reference:
    """Greedy decoding by recomputing everything for every token."""
    output: list[int] = []
    logprobs: list[float] = []
    gaps: list[float] = []
    while len(output) < max_tokens and not (output and output[-1] in end_ids):
        scores = next_log_probs(models, prompts, output, coefficients, size)
        best = scores.topk(2).values
        output.append(int(scores.argmax()))
        logprobs.append(float(best[0]))
        gaps.append(float(best[0] - best[1]))
    return Reference(output, logprobs, gaps)


def up_scaling(alpha: float) -> dict[str, float]:
    """The coefficients of one tuned member."""
    return {"base": 1.0, "tuned": alpha, "reference": -alpha}
