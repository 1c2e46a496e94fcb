"""Packed weights: the same product, and no second copy."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from eft_integrations.engine import packing
from eft_integrations.engine.packing import PackedLinear, can_pack, pack, packed_bytes
from tests.conftest import llama
from tests.engine.test_mapped import pages_of

needs_cpu = pytest.mark.skipif(not can_pack(), reason="this CPU has no bfloat16 products")


def bfloat16_model(tokenizer: Any, **changes: Any) -> Any:
    torch.manual_seed(0)
    config = llama(tokenizer, **changes)
    return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()


@needs_cpu
@pytest.mark.parametrize("is_tied", [False, True])
@pytest.mark.parametrize("num_rows", [1, 5])
@torch.inference_mode()
def test_a_packed_model_says_what_the_plain_one_says(
    tokenizer: Any, is_tied: bool, num_rows: int
) -> None:
    plain = bfloat16_model(tokenizer, tie_word_embeddings=is_tied, attention_bias=True)
    packed = copy.deepcopy(plain)
    assert len(pack(packed)) == 2 * 7 + 1
    ids = torch.arange(num_rows * 6).reshape(num_rows, 6)
    difference = (packed(ids).logits - plain(ids).logits).abs().max()
    assert float(difference) <= 0.02 * float(plain(ids).logits.abs().max())


@needs_cpu
def test_the_plain_weights_are_gone(tokenizer: Any) -> None:
    model = bfloat16_model(tokenizer)
    before = sum(p.numel() * p.element_size() for p in model.parameters())
    pack(model)
    assert not any(type(module) is nn.Linear for module in model.modules())
    left = sum(p.numel() * p.element_size() for p in model.parameters())
    assert left + packed_bytes(model) == before
    assert not pack(model)


@needs_cpu
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
@pytest.mark.parametrize("is_tied", [False, True])
@torch.inference_mode()
def test_the_file_of_packed_weights_is_not_held(
    tokenizer: Any, tmp_path: Path, is_tied: bool
) -> None:
    shape = {"hidden_size": 256, "intermediate_size": 2048, "tie_word_embeddings": is_tied}
    bfloat16_model(tokenizer, **shape).save_pretrained(tmp_path)
    plain: Any = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    ids = torch.arange(12).reshape(2, 6)
    before = plain(ids).logits
    weight = plain.get_input_embeddings().weight
    read = pages_of(weight)
    pack(plain)
    assert pages_of(weight) < read / 3  # embeddings, norms, and what is read with a page
    assert (plain(ids).logits - before).abs().max() <= 0.02 * before.abs().max()


def test_what_is_not_a_plain_bfloat16_linear_stays(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "can_pack", lambda: True)
    assert not pack(bfloat16_model(tokenizer).float())

    class Quantised(nn.Linear):
        """A subclass does something else with its weight."""

    hooked = nn.Linear(4, 4, dtype=torch.bfloat16)
    hooked._hf_hook = object()  # type: ignore[assignment] # as accelerate marks what it moves
    model = nn.ModuleList([Quantised(4, 4, dtype=torch.bfloat16), hooked])
    assert not pack(model)


def test_where_the_operators_are_missing_models_stay_plain(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "can_pack", lambda: False)
    model = bfloat16_model(tokenizer)
    assert not pack(model)
    assert not any(isinstance(module, PackedLinear) for module in model.modules())
