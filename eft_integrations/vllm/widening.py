"""The embedded family, as vLLM's kernels can run it.

They know no heads of 28 dimensions, which the small members have. In a copy each head has 32: the
added ones are zero, and queries and rotary base are scaled so that attention stays what it was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from eft_integrations import tiny

_DIMENSIONS = 32
_WEIGHTS, _CONFIG = "model.safetensors", "config.json"


@contextmanager
def embedded(tuned: str = "helpful") -> Iterator[dict[str, Any]]:
    """``base``, ``tuned`` and ``reference`` for :func:`llm` and :func:`serve`, while it is open."""
    members = tiny.trio(tuned)
    with TemporaryDirectory(prefix="eft-") as folder:
        for role in ("tuned", "reference"):
            widen(members[role], Path(folder) / role)
            members[role] = Path(folder) / role
        yield members


def widen(source: Path, target: Path) -> None:
    """Write the Llama model in ``source`` to ``target``, with heads of 32 dimensions."""
    shutil.copytree(source, target)
    config = json.loads((source / _CONFIG).read_text(encoding="utf-8"))
    dimensions = config["head_dim"]
    wider = _DIMENSIONS / dimensions
    weights = load_file(source / _WEIGHTS)
    (target / _CONFIG).write_text(json.dumps(_widened(config, wider)), encoding="utf-8")
    made = {name: _wide(name, weight.float(), dimensions) for name, weight in weights.items()}
    save_file(made, target / _WEIGHTS, metadata={"format": "pt"})


def _widened(config: Mapping[str, Any], wider: float) -> dict[str, Any]:
    """The frequencies theta^(-2i/d) stay what they are where theta grows with d."""
    rope = config["rope_parameters"]
    theta = rope["rope_theta"] ** wider
    return {
        **config,
        "head_dim": _DIMENSIONS,
        "dtype": "float32",  # bfloat16 would round the scaled queries
        "rope_parameters": {**rope, "rope_theta": theta},
    }


def _wide(name: str, weight: Tensor, dimensions: int) -> Tensor:
    """A matrix with wider heads; whatever has none stays as it is."""
    if "o_proj" in name:
        return _spread(weight.T, dimensions).T.contiguous()
    if "q_proj" in name:
        # Scores are divided by the root of the dimensions.
        weight = weight * (_DIMENSIONS / dimensions) ** 0.5
    is_headed = any(kind in name for kind in ("q_proj", "k_proj", "v_proj"))
    return _spread(weight, dimensions) if is_headed else weight


def _spread(weight: Tensor, dimensions: int) -> Tensor:
    """Rows [heads × d, …] → [heads × 32, …]. Rotary pairs are half a head apart, and stay it."""
    halves = weight.reshape(-1, dimensions // 2, weight.shape[1])
    filled = torch.zeros(len(halves), _DIMENSIONS // 2, weight.shape[1])
    filled[:, : dimensions // 2] = halves
    return filled.reshape(-1, weight.shape[1])
