"""A quantised large member beside plain small ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from eft_integrations import Mixture
from tests.conftest import save_trio
from tests.vllm.asking import ALPHAS, opened, prompts, trio_configs, written

W8A8 = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "ignore": ["lm_head"],
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel"},
            "input_activations": {
                "num_bits": 8,
                "type": "int",
                "symmetric": True,
                "strategy": "token",
                "dynamic": True,
            },
        }
    },
}


def quantise(folder: Path) -> None:
    """Weights in eight bits with a scale for each row, as compressed-tensors writes them."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": W8A8}))
    weights: dict[str, Tensor] = {}
    for name, weight in load_file(folder / "model.safetensors").items():
        if "_proj." not in name:
            weights[name] = weight
            continue
        scale = weight.abs().amax(-1, keepdim=True) / 127
        weights[name] = (weight / scale).round().to(torch.int8)
        weights[f"{name}_scale"] = scale
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_alpha_zero_is_the_quantised_model_as_vllm_alone_serves_it(
    tmp_path: Path, tokenizer: Any
) -> None:
    from vllm import LLM

    save_trio(tmp_path, tokenizer, trio_configs(tokenizer, vocab_size=len(tokenizer)))
    quantise(tmp_path / "base")
    asked = prompts(len(ALPHAS), 6)
    silent, loud = [Mixture(alpha=0.0)] * len(asked), [Mixture(alpha=1.0)] * len(asked)
    with opened(tmp_path, dtype="bfloat16") as model:
        quiet = written(model, asked, silent, 16)
        assert written(model, asked, loud, 16) != quiet
    stock = LLM(str(tmp_path / "base"), dtype="bfloat16", enforce_eager=True, max_num_seqs=16)
    assert written(stock, asked, silent, 16) == quiet
    stock.llm_engine.engine_core.shutdown()
