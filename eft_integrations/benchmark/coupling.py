"""What is kept of a draft of sampled text: by noise that is shared, as here, or by rejection.

Rejection sampling (Leviathan et al. 2023, arXiv 2211.17192) keeps as much as can be kept, but its
texts depend on the drafts. Shared noise, whose texts do not, keeps somewhat less: with d the total
variation at least (1 − d) / (1 + d) of 1 − d (Daliri et al. 2024, arXiv 2408.07978).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eft_integrations.benchmark.contenders import Prompt, Trio
from eft_integrations.chat import Message, render
from eft_integrations.engine import Engine
from eft_integrations.mixture import BASE

# Of each position so many tokens count; what is kept of the others is no more than their mass.
_MOST = 128


@dataclass(frozen=True)
class Kept:
    """The share of drafted tokens that is kept, over all positions."""

    by_coupling: float
    by_rejection: float


def asked(engine: Engine, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
    """Their prompts; the last message alone where the tuned member has no chat template."""
    tokenizer = engine.tokenizer()
    if tokenizer.chat_template:
        return [render(engine, messages)[BASE] for messages in conversations]
    return [list(tokenizer.encode(str(messages[-1]["content"]))) for messages in conversations]


def sample(engine: Engine, prompts: Sequence[Prompt], num_tokens: int) -> list[Prompt]:
    """Texts of the mixture at temperature 1."""
    rows = engine.generate(
        [list(prompt) for prompt in prompts],
        alpha=1.0,
        seed=0,
        temperature=1.0,
        max_tokens=num_tokens,
    )
    return [list(row.token_ids) for row in rows]


@torch.inference_mode()
def kept(trio: Trio, prompts: Sequence[Prompt], texts: Sequence[Prompt]) -> Kept:
    """Of drafts of the tuned member at every position of these texts, at temperature 1."""
    coupled, rejected = [], []
    for prompt, text in zip(prompts, texts, strict=True):
        said = [_log_probs(model, prompt, text) for model, _ in trio.weighted]
        weights = [weight for _, weight in trio.weighted]
        mixture = sum((w * one for w, one in zip(weights, said, strict=True)), torch.zeros(()))
        ours = torch.log_softmax(mixture, -1)
        coupled.append(by_coupling(ours, said[1]))
        rejected.append(by_rejection(ours, said[1]))
    return Kept(float(torch.cat(coupled).mean()), float(torch.cat(rejected).mean()))


def by_rejection(ours: Tensor, drafter: Tensor) -> Tensor:
    """Log-probabilities [N, V] of mixture and drafter → the share that is kept, [N]."""
    return torch.minimum(ours, drafter).exp().sum(-1)


def by_coupling(ours: Tensor, drafter: Tensor) -> Tensor:
    """The same where both are the argmax of log-probability plus one noise.

    Both say i with probability 1 / Σ_j max(p_j / p_i, q_j / q_i).
    """
    both = torch.minimum(ours, drafter)
    ids = both.topk(min(_MOST, both.shape[-1])).indices
    total = torch.zeros(len(ours))
    for column in ids.T:
        mine, theirs = (one.gather(-1, column[:, None]) for one in (ours, drafter))
        total += torch.maximum(ours - mine, drafter - theirs).exp().sum(-1).reciprocal()
    return total


def _log_probs(model: Any, prompt: Prompt, text: Prompt) -> Tensor:
    """Of the places at which ``text`` was written, [len(text), V]."""
    logits = model(torch.tensor([[*prompt, *text]])).logits
    return torch.log_softmax(logits[0, len(prompt) - 1 : -1].float(), -1)
