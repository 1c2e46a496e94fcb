"""The tuned member as vLLM's draft model: faster, and no token different."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import Mixture
from tests.conftest import llama, save_trio
from tests.vllm.asking import ALPHAS, LARGE, SMALL, counted, naive, opened, prompts, written

pytestmark = pytest.mark.skipif(
    os.environ.get("VLLM_USE_V2_MODEL_RUNNER") != "1",
    reason="speculation: vLLM's V1 runner bars it beside coefficients of requests",
)


def test_drafts_change_no_token_at_any_alpha(tmp_path: Path, tokenizer: Any) -> None:
    num = len(tokenizer)
    configs = {
        "base": llama(tokenizer, **LARGE, vocab_size=num + 24),
        "tuned": llama(tokenizer, **SMALL),
        "reference": llama(tokenizer, **SMALL, vocab_size=num + 8),
    }
    models = save_trio(tmp_path, tokenizer, configs)
    asked = prompts(len(ALPHAS), 5)
    mixtures = [Mixture(alpha=alpha) for alpha in ALPHAS]
    with opened(tmp_path, draft_tokens=3) as model:
        assert model.llm_engine.vllm_config.use_v2_model_runner
        found = written(model, asked, mixtures, 12)
        assert counted(model, "vllm:spec_decode_num_draft_tokens") > 0
    for ids, mixture, output in zip(asked, mixtures, found, strict=True):
        assert output == naive(models, ids, mixture, 12, size=num), mixture


def test_where_base_is_reference_alpha_one_is_the_draft(tmp_path: Path, tokenizer: Any) -> None:
    configs = {role: llama(tokenizer, **SMALL) for role in ("tuned", "reference")}
    save_trio(tmp_path, tokenizer, configs)
    with opened(tmp_path, base=tmp_path / "reference", draft_tokens=3) as model:
        written(model, prompts(2, 5), [Mixture(alpha=1.0)] * 2, 13)
        drafted = counted(model, "vllm:spec_decode_num_draft_tokens")
        assert counted(model, "vllm:spec_decode_num_accepted_tokens") == drafted > 0
