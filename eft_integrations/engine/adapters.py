"""A tuned member that is an adapter on its reference (LoRA and its kin): one copy of the weights.

The only file that knows peft, of the extra ``[peft]``. The adapter sits in a copy of the
reference's modules; their parameters are the reference's own.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from eft_integrations.engine.config import MemberConfig
from eft_integrations.errors import InvalidRequest, LoadError

_NAME = "adapter_config.json"


def is_adapter(path: str | Path) -> bool:
    """Whether this is a local folder with an adapter and no model."""
    folder = Path(path)
    return (folder / _NAME).is_file() and not (folder / "config.json").is_file()


def has_tokenizer(path: str | Path) -> bool:
    """Whether a tokenizer lies beside the adapter; else the reference's is meant."""
    return (Path(path) / "tokenizer_config.json").is_file()


def refuse_other_place(role: str, adapter: MemberConfig, reference: MemberConfig) -> None:
    """Raise ``InvalidRequest`` where an adapter is to lie elsewhere than what it shares."""
    for name in ("dtype", "device", "device_map", "max_memory", "quantization_config"):
        ours, theirs = getattr(adapter, name), getattr(reference, name)
        if ours != theirs:
            raise InvalidRequest(
                f"{role} is an adapter and shares its reference's weights, but {name}={ours!r} "
                f"there is {theirs!r}; leave {name} out"
            )


def with_adapter(model: Any, path: str | Path) -> Any:
    """``model`` with the adapter in ``path``; every parameter of ``model`` is shared, none copied.

    Raises ``LoadError`` where peft is missing.
    """
    try:
        from peft import PeftConfig, inject_adapter_in_model, set_peft_model_state_dict
    except ImportError as error:
        raise LoadError(
            f'{str(path)!r} is an adapter, which needs peft; pip install "eft-integrations[peft]"'
        ) from error
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared)
    settings = PeftConfig.from_pretrained(str(path))
    settings.inference_mode = True
    weights = load_file(Path(path) / "adapter_model.safetensors")
    inject_adapter_in_model(settings, twin)
    # peft writes names as its own wrapper has them.
    found = {name.removeprefix("base_model.model."): weight for name, weight in weights.items()}
    report: Any = set_peft_model_state_dict(twin, found)
    _refuse_unfit(path, report.unexpected_keys, found.keys())
    return twin.to(model.dtype).eval().requires_grad_(False)


def _refuse_unfit(path: str | Path, unexpected: Collection[str], given: Collection[str]) -> None:
    """peft only reports what it could not place."""
    if unexpected or not given:
        raise LoadError(
            f"the adapter {str(path)!r} has {len(unexpected)} of {len(given)} weights that the "
            f"reference has no place for; give the model that it was trained on"
        )
