"""A trio of any shape whose agreement is known by construction, built on the spot.

Speed depends on shapes, and speculation's on how often drafter and mixture agree; what the models
know is of no account. So the blocks are random and nearly silent, and embeddings and head carry a
map from each token to the next: one full cycle for the base, so that nothing repeats and looking
up finds nothing. Tuned and reference are equal; their map leaves the cycle after a chosen share of
the tokens. They cancel: the mixture is the base, and the tuned member agrees with it for the rest.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from eft_integrations.engine.config import DTYPES
from eft_integrations.errors import InvalidRequest
from eft_integrations.tiny.recipes import Shape

# The last matrices of a block are so much quieter than the others.
_SILENCE = 1e-3
_SPREAD = 0.02
# Steps of the two maps; both are odd, so that a vocabulary of 2^n or 3 · 2^n is one cycle.
_STEP, _OTHER_STEP = 12289, 6151
_TILE = 1 << 22


# 1.8 and 0.16 billion parameters.
LARGE = Shape(hidden_len=2048, num_layers=24, mlp_len=8192, num_heads=32, num_kv_heads=32)
SMALL = Shape(hidden_len=576, num_layers=30, mlp_len=1536, num_heads=9, num_kv_heads=3)
VOCAB_SIZE = 49_152


def next_token(token: Tensor | int, size: int = VOCAB_SIZE) -> Tensor | int:
    """What the base, and so the mixture, says after a token."""
    return (token + _STEP) % size


def build_trio(
    folder: Path,
    agreement: float,
    *,
    large: Shape = LARGE,
    small: Shape = SMALL,
    size: int = VOCAB_SIZE,
    dtype: str = "bfloat16",
) -> dict[str, str]:
    """Write base, tuned and reference into folders; role → path.

    ``agreement``: the share of the tokens after which the tuned member says what the mixture says.
    ``dtype``: one that members take, but "auto".
    """
    if dtype not in DTYPES or dtype == "auto":
        raise InvalidRequest(f"dtype must be one of {', '.join(DTYPES[1:])}, got {dtype!r}")
    ids = torch.arange(size)
    cycle = (ids + _STEP) % size
    leaves = torch.rand(size, generator=torch.Generator().manual_seed(7)) >= agreement
    own = torch.where(leaves, (ids + _OTHER_STEP) % size, cycle)
    # Tuned and reference are equal, so that nothing but the base is left of the mixture.
    maps = {"base": (large, cycle), "tuned": (small, own), "reference": (small, own)}
    out = {}
    for role, (shape, mapped) in maps.items():
        out[role] = str(folder / role)
        model = _model(shape, mapped, seed=int(role == "base"), dtype=getattr(torch, dtype))
        model.save_pretrained(out[role])
        _tokenizer(size).save_pretrained(out[role])
    return out


def _model(shape: Shape, mapped: Tensor, *, seed: int, dtype: torch.dtype) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(mapped),
        hidden_size=shape.hidden_len,
        intermediate_size=shape.mlp_len,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_kv_heads,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    with torch.device("meta"):
        model: Any = LlamaForCausalLM(config)
        model = model.to(dtype)
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    tile = (torch.randn(_TILE, generator=generator) * _SPREAD).to(dtype)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.fill_(1.0)
            else:
                is_last = "o_proj" in name or "down_proj" in name
                _fill(weight, tile * _SILENCE if is_last else tile)
        embeddings = model.get_input_embeddings().weight
        embeddings.copy_(torch.randn(embeddings.shape, generator=generator))
        head = torch.zeros(embeddings.shape)
        head.index_add_(0, mapped, embeddings.float() / math.sqrt(shape.hidden_len))
        model.lm_head.weight.copy_(head)
    _compute_buffers(model)
    return cast("LlamaForCausalLM", model)


def _fill(weight: Tensor, tile: Tensor) -> None:
    """Repeat the tile: as many normal numbers as a large model has take a minute to draw."""
    flat = weight.view(-1)
    for start in range(0, len(flat), len(tile)):
        part = flat[start : start + len(tile)]
        part.copy_(tile[: len(part)])


def _compute_buffers(model: LlamaForCausalLM) -> None:
    """What ``to_empty`` left without values and no checkpoint holds."""
    rotary = type(model.model.rotary_emb)
    model.model.rotary_emb = rotary(config=model.config)


def _tokenizer(size: int) -> PreTrainedTokenizerFast:
    """One word a token: "t0 t1 …"; of a conversation all that was said, and nothing else."""
    words = Tokenizer(models.WordLevel({f"t{i}": i for i in range(size)}, unk_token="t0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    said = "{% for message in messages %}{{ message.content }} {% endfor %}"
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="t0", chat_template=said)
