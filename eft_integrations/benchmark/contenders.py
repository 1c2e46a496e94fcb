"""The ways to write up-scaled text that the benchmark lets compete; all greedy, alpha 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, DynamicCache

from eft_integrations.engine import Engine
from eft_integrations.engine.packing import pack
from eft_integrations.request import PerRow

Prompt = list[int]
_FORBIDDEN = 1e4


@dataclass(frozen=True)
class Trio:
    """Plain transformers models."""

    base: Any
    tuned: Any
    reference: Any

    @classmethod
    def load(cls, paths: dict[str, str], dtype: str) -> Trio:
        """The members in these folders (role → path), in ``dtype`` (a name of torch's)."""
        loaded = {
            role: AutoModelForCausalLM.from_pretrained(path, dtype=dtype).eval()
            for role, path in paths.items()
        }
        return cls(**loaded)

    def packed(self) -> Trio:
        """Itself, with packed weights."""
        for model in (self.base, self.tuned, self.reference):
            pack(model)
        return self

    @property
    def weighted(self) -> tuple[tuple[Any, float], ...]:
        return ((self.base, 1.0), (self.tuned, 1.0), (self.reference, -1.0))

    def num_bytes(self) -> int:
        """Bytes of weights that one token reads; of embeddings that are no head, a line each."""
        total = 0
        for model, _ in self.weighted:
            lookup, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
            sizes = {id(p): p.numel() * p.element_size() for p in model.parameters()}
            total += sum(sizes.values()) - (0 if lookup is head else sizes[id(lookup)])
        return total


@torch.inference_mode()
def naive(
    trio: Trio, prompts: Sequence[Prompt], num_tokens: int, banned: Sequence[int] = ()
) -> list[Prompt]:
    """Three models with a cache each, one after the other, as a static batch padded on the left.

    What public proxy-tuning code does. Every row goes on to the end: ``banned`` are the ids that
    would end it.
    """
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    caches = [DynamicCache(config=model.config) for model, _ in trio.weighted]
    out: list[Tensor] = []
    for _ in range(num_tokens):
        positions = (mask.cumsum(-1) - 1).clamp_min(0)[:, -ids.shape[1] :]
        total = torch.zeros(())
        for (model, weight), cache in zip(trio.weighted, caches, strict=True):
            logits = model(
                ids,
                attention_mask=mask if len(prompts) > 1 else None,
                position_ids=positions,
                past_key_values=cache,
                logits_to_keep=1,
            ).logits[:, -1]
            total = total + weight * torch.log_softmax(logits.float(), -1)
        total[:, list(banned)] -= _FORBIDDEN
        ids = total.argmax(-1, keepdim=True)
        mask = torch.cat([mask, torch.ones_like(ids)], -1)
        out.append(ids)
    return [[int(token) for token in row] for row in torch.cat(out, -1)]


@torch.inference_mode()
def large_alone(
    trio: Trio, prompts: Sequence[Prompt], num_tokens: int, *, is_assisted: bool = False
) -> list[Prompt]:
    """transformers' ``generate`` of the base, one prompt after the other.

    ``is_assisted``: with the tuned member as its assistant. The text is the base's own.
    """
    assistant = {"assistant_model": trio.tuned} if is_assisted else {}
    out = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        written = trio.base.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=num_tokens,
            min_new_tokens=num_tokens,
            do_sample=False,
            pad_token_id=0,
            **assistant,
        )
        out.append([int(token) for token in written[0, len(prompt) :]])
    return out


def up_scaled(
    engine: Engine,
    prompts: Sequence[Prompt],
    num_tokens: int,
    *,
    alphas: Sequence[float] | None = None,
    speculation: Any = "off",
) -> list[Prompt]:
    """Our engine, all prompts at once; ``alphas``: one for each."""
    rows = engine.generate(
        [list(prompt) for prompt in prompts],
        alpha=PerRow(list(alphas or [1.0] * len(prompts))),
        max_tokens=num_tokens,
        logit_bias=dict.fromkeys(sorted(engine.end_ids), -_FORBIDDEN) or None,
        speculation=speculation,
    )
    return [list(row.token_ids) for row in rows]
