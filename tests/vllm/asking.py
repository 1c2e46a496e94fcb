"""Random members for vLLM, what it writes with them, and what the naive loop writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from eft_integrations import Mixture
from eft_integrations.mixture import Roles, effective, resolve
from eft_integrations.rule import combine, log_probabilities
from eft_integrations.vllm import llm
from eft_integrations.wire import to_wire
from tests.conftest import llama

# Of vLLM's kernels for a CPU none knows heads of less than 32 dimensions.
SMALL = {"head_dim": 32, "hidden_size": 64}
LARGE = {"head_dim": 32, "hidden_size": 128, "num_hidden_layers": 3, "intermediate_size": 192}
ONE = Roles(
    tuned=("tuned",), reference_of={"tuned": "reference"}, available=("base", "tuned", "reference")
)
ALPHAS = (0.0, 0.3, 0.5, 0.7, 1.0, -0.5, 1.5, 2.0)


def trio_configs(tokenizer: Any, **changes: Any) -> dict[str, Any]:
    """A large member and two small ones; the heads of base and tuned are padded."""
    padded = {"base": 24, "tuned": 8, "reference": 0}
    return {
        role: llama(
            tokenizer,
            **{
                **(LARGE if role == "base" else SMALL),
                "vocab_size": len(tokenizer) + more,
                **changes,
            },
        )
        for role, more in padded.items()
    }


@contextmanager
def opened(folder: Path, **settings: Any) -> Iterator[Any]:
    """vLLM's ``LLM`` of a folder with base/, tuned/ and reference/, and its end."""
    trio = {role: folder / role for role in ("base", "tuned", "reference")}
    small = {"max_num_seqs": 16, "enforce_eager": True, "disable_log_stats": False}
    made = llm(**{**trio, "dtype": "float32", **small, **settings})
    try:
        yield made
    finally:
        made.llm_engine.engine_core.shutdown()


def prompts(num: int, length: int, first: int = 0) -> list[list[int]]:
    """Different prompts without control tokens."""
    return [[20 + (37 * row + 11 * i + first) % 900 for i in range(length)] for row in range(num)]


def written(
    model: Any, asked: Sequence[list[int]], mixtures: Sequence[Mixture], max_tokens: int
) -> list[list[int]]:
    """Greedy token ids of each prompt with its mixture, all in one call."""
    from vllm import SamplingParams

    params = [
        SamplingParams(
            temperature=0, max_tokens=max_tokens, ignore_eos=True, extra_args=to_wire(mixture)
        )
        for mixture in mixtures
    ]
    rows = [{"prompt_token_ids": list(ids)} for ids in asked]
    outputs = model.generate(rows, params, use_tqdm=False)
    return [list(output.outputs[0].token_ids) for output in outputs]


def counted(model: Any, name: str) -> int:
    """A counter of vLLM's own metrics."""
    return int(sum(metric.value for metric in model.get_metrics() if metric.name == name))


@torch.inference_mode()
def naive(
    models: Mapping[str, Any],
    prompt: list[int],
    mixture: Mixture,
    max_tokens: int,
    *,
    size: int,
    roles: Roles = ONE,
) -> list[int]:
    """The same by recomputing everything for every token, through the rule itself."""
    terms = resolve(effective(mixture, roles.default()), roles)
    ids = list(prompt)
    while len(ids) < len(prompt) + max_tokens:
        logits = {
            role: model(torch.tensor([ids]), use_cache=False).logits[0, -1:, :size]
            for role, model in models.items()
        }
        members = {role: log_probabilities(one) for role, one in logits.items()}
        ids.append(int(combine(members, [terms]).log_probs.argmax()))
    return ids[len(prompt) :]
