"""Every architecture equals the naive loop, alone and in a ragged batch that rows join late."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers

from tests import reference
from tests.conftest import ROLES, open_trio, save_trio

SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "initializer_range": 0.3,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
GROUPED = {**SMALL, "num_key_value_heads": 2}
GEMMA = {
    **GROUPED,
    "head_dim": 16,
    "sliding_window": 16,
    "query_pre_attn_scalar": 16,
    "tie_word_embeddings": False,
}
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", GROUPED),
    "falcon-rotary": ("FalconConfig", {**SMALL, "alibi": False, "new_decoder_architecture": True}),
    "falcon-alibi": (
        "FalconConfig",
        {
            **SMALL,
            "initializer_range": 0.25,
            "alibi": True,
            "multi_query": False,
            "new_decoder_architecture": False,
        },
    ),
    "mistral-window": ("MistralConfig", {**GROUPED, "sliding_window": 16}),
    "qwen2": ("Qwen2Config", GROUPED),
    "qwen3": ("Qwen3Config", {**GROUPED, "head_dim": 16}),
    "gemma2": ("Gemma2Config", GEMMA),
    "gemma3": (
        "Gemma3TextConfig",
        {**GEMMA, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
    ),
    "gpt-neox": ("GPTNeoXConfig", {**SMALL, "initializer_range": 0.6}),
    "gpt2": (
        "GPT2Config",
        {
            "n_embd": 64,
            "n_layer": 3,
            "n_head": 4,
            "n_positions": 256,
            "initializer_range": 0.3,
            "bos_token_id": None,
            "eos_token_id": None,
        },
    ),
    "phi3": ("Phi3Config", GROUPED),
    "olmo2": ("Olmo2Config", GROUPED),
}
PROMPTS = (
    "The capital of France is",
    "a",
    "Once upon a time in a country far away there lived a king who counted stars " * 2,
    "Silver and gold",
)
ALPHAS = (0.0, 0.5, 1.0, 0.5)
LENGTHS = (48, 24, 32, 24)


def make(name: str, folder: Path, tokenizer: Any) -> dict[str, Any]:
    kind, settings = ARCHITECTURES[name]
    config = getattr(transformers, kind)(vocab_size=len(tokenizer), **settings)
    return save_trio(folder, tokenizer, dict.fromkeys(ROLES, config))


def check_equal(name: str, folder: Path, tokenizer: Any) -> None:
    models = make(name, folder, tokenizer)
    size = len(tokenizer)
    wanted = []
    for prompt, alpha, length in zip(PROMPTS, ALPHAS, LENGTHS, strict=True):
        ids = dict.fromkeys(ROLES, tokenizer.encode(prompt))
        loop = reference.generate(
            models,
            ids,
            reference.up_scaling(alpha),
            max_tokens=length,
            size=size,
            end_ids=[tokenizer.eos_token_id],
        )
        wanted.append(loop.token_ids)
    with open_trio(folder) as engine:
        first = engine.generate(PROMPTS[0], alpha=0.0, max_tokens=LENGTHS[0])
        assert list(first.token_ids) == wanted[0]
        streams = []
        for prompt, alpha, length in zip(PROMPTS, ALPHAS, LENGTHS, strict=True):
            stream = engine.stream(prompt, alpha=alpha, max_tokens=length)
            next(stream)  # it runs before the next one joins
            streams.append(stream)
        assert [list(stream.result.token_ids) for stream in streams] == wanted
        by_alpha = {
            engine.generate(PROMPTS[0], alpha=alpha, max_tokens=24).token_ids
            for alpha in (0.0, 0.5, 1.0)
        }
    assert len(by_alpha) == 3
    assert all(len(set(tokens)) >= 10 for tokens in wanted)


def test_llama_equals_the_naive_loop(tmp_path: Path, tokenizer: Any) -> None:
    check_equal("llama", tmp_path, tokenizer)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "llama"])
def test_architecture_equals_the_naive_loop(name: str, tmp_path: Path, tokenizer: Any) -> None:
    check_equal(name, tmp_path, tokenizer)
