"""Over two ranks: sharded, replicated where heads do not divide, and in two stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import Qwen2Config

from eft_integrations import Mixture
from eft_integrations.engine.config import name_roles
from tests.conftest import llama, save_trio
from tests.vllm.asking import ALPHAS, LARGE, SMALL, naive, opened, prompts, trio_configs, written

MIXTURES = [
    Mixture(alpha={"even": 0.7, "odd": 0.6}),
    Mixture(alpha={"odd": 1.2}),
    Mixture(alpha={"even": -0.5, "odd": 1.0}, filter_top_p=0.6),
    Mixture(weights={"base": 1.0, "odd": 0.5, "reference:even": -0.3}),
    Mixture(),
]


def odd(tokenizer: Any) -> Qwen2Config:
    """Three heads and one key head: nothing that two ranks could share."""
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=512,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )


def test_two_tuned_members_on_two_ranks_are_the_naive_loop(
    tmp_path: Path, tokenizer: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    configs = {
        "base": llama(tokenizer, **LARGE),
        "even": llama(tokenizer, **SMALL),
        "odd": odd(tokenizer),
        "reference:even": llama(tokenizer, **SMALL),
        "reference:odd": odd(tokenizer),
    }
    models = save_trio(tmp_path, tokenizer, configs)
    tuned = {name: tmp_path / name for name in ("even", "odd")}
    reference = {name: tmp_path / f"reference:{name}" for name in ("even", "odd")}
    roles, _ = name_roles(tmp_path / "base", tuned, reference)
    members = {"tuned": tuned, "reference": reference}
    asked = prompts(len(MIXTURES), 7)
    with opened(tmp_path, **members, tensor_parallel_size=2) as model:
        found = written(model, asked, MIXTURES, 16)
    for ids, mixture, output in zip(asked, MIXTURES, found, strict=True):
        size = len(tokenizer)
        assert output == naive(models, ids, mixture, 16, size=size, roles=roles), mixture
    told = capfd.readouterr()
    log = told.out + told.err
    assert "even is sharded over 2 ranks" in log
    assert "odd is replicated on 2 ranks: its 3 heads do not divide among them" in log


def test_two_compiled_stages_are_the_naive_loop(tmp_path: Path, tokenizer: Any) -> None:
    models = save_trio(tmp_path, tokenizer, trio_configs(tokenizer))
    asked = prompts(len(ALPHAS), 7)
    mixtures = [Mixture(alpha=alpha) for alpha in ALPHAS]
    # a stock model asserts on a CPU where stages are not compiled
    with opened(tmp_path, pipeline_parallel_size=2, enforce_eager=False) as model:
        found = written(model, asked, mixtures, 16)
    for ids, mixture, output in zip(asked, mixtures, found, strict=True):
        assert output == naive(models, ids, mixture, 16, size=len(tokenizer)), mixture
