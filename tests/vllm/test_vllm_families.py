"""Other families than Llama, and the embedded one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import Gemma3TextConfig

from eft_integrations import Mixture
from tests.conftest import save_trio
from tests.vllm.asking import ALPHAS, naive, opened, prompts, written


def gemma(tokenizer: Any, **changes: Any) -> Gemma3TextConfig:
    """Layers with a window of 24 tokens beside one that sees all."""
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "sliding_window": 24,
        "layer_types": ["sliding_attention"] * 3 + ["full_attention"],
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    return Gemma3TextConfig(**{**settings, **changes})


def test_a_gemma_trio_with_sliding_windows_is_the_naive_loop(
    tmp_path: Path, tokenizer: Any
) -> None:
    large = {"hidden_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2}
    configs = {
        role: gemma(tokenizer, **(large if role == "base" else {}))
        for role in ("base", "tuned", "reference")
    }
    models = save_trio(tmp_path, tokenizer, configs)
    asked = prompts(len(ALPHAS), 60)
    mixtures = [Mixture(alpha=alpha) for alpha in ALPHAS]
    expected = [
        naive(models, ids, mixture, 16, size=len(tokenizer))
        for ids, mixture in zip(asked, mixtures, strict=True)
    ]
    with opened(tmp_path, block_size=32, max_num_batched_tokens=64) as model:
        assert written(model, asked, mixtures, 16) == expected
        assert written(model, asked, mixtures, 16) == expected  # from what is cached
