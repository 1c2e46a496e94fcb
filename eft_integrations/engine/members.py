"""Load and place members; the only file with transformers' auto-classes and accelerate's maps."""

from __future__ import annotations

import inspect
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedTokenizerBase,
)
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from eft_integrations.engine.adapters import (
    has_tokenizer,
    is_adapter,
    refuse_other_place,
    with_adapter,
)
from eft_integrations.engine.config import MemberConfig
from eft_integrations.engine.packing import PackedLinear, pack, packed_bytes, share_packed
from eft_integrations.engine.placement import (
    device_of,
    first_line,
    identity,
    is_hub_out_of_reach,
    placement,
    refuse_absent_device,
    refuse_wrong_path,
)
from eft_integrations.errors import LoadError
from eft_integrations.mixture import Roles

logger = logging.getLogger("eft_integrations")

_KINDS: Mapping[type, str] = {
    DynamicLayer: "full_attention",
    DynamicSlidingWindowLayer: "sliding_attention",
}
# ALiBi biases come from a 2-D mask; these families have no ``alibi`` switch in their config.
_ALIBI_TYPES = ("bloom", "mpt")


@dataclass(frozen=True)
class Member:
    """A loaded model with what the engine must know of it; shared by roles with equal settings."""

    config: MemberConfig
    model: Any
    tokenizer: PreTrainedTokenizerBase
    windows: Mapping[str, int | None]

    @property
    def text_config(self) -> Any:
        return self.model.config.get_text_config(decoder=True)

    @property
    def num_layers(self) -> int:
        return int(self.text_config.num_hidden_layers)

    @property
    def context_len(self) -> int | None:
        """Positions the model was made for; None where its config names no limit."""
        length = getattr(self.text_config, "max_position_embeddings", None)
        return int(length) if length else None

    @cached_property
    def head_width(self) -> int:
        head = self.model.get_output_embeddings()
        return int(getattr(head, "out_features", 0) or head.weight.shape[0])

    @cached_property
    def device(self) -> torch.device:
        """Where token ids go in."""
        embeddings = self.model.get_input_embeddings()
        device: torch.device = embeddings.weight.device
        hook = getattr(embeddings, "_hf_hook", None)
        # What a device map offloads holds no data itself: accelerate's hook knows where it runs.
        return torch.device(hook.execution_device) if hook and device.type == "meta" else device

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.model.dtype
        return dtype

    @cached_property
    def num_bytes(self) -> int:
        return sum(map(_num_bytes, self.model.parameters())) + packed_bytes(self.model)

    @cached_property
    def has_alibi(self) -> bool:
        config = self.text_config
        return bool(getattr(config, "alibi", False)) or config.model_type in _ALIBI_TYPES

    @cached_property
    def reads_boolean_mask(self) -> bool:
        return str(self.model.config._attn_implementation) == "sdpa"

    @cached_property
    def takes_positions(self) -> bool:
        return "position_ids" in inspect.signature(self.model.forward).parameters

    @cached_property
    def end_ids(self) -> frozenset[int]:
        """End tokens of the tokenizer, the config and the generation config together."""
        ids: set[int] = set()
        sources = (self.tokenizer, self.model.config, self.model.generation_config)
        for source in sources:
            found = getattr(source, "eos_token_id", None)
            ids.update([found] if isinstance(found, int) else found or ())
        return frozenset(ids)

    @property
    def kv_bytes_per_token(self) -> int:
        return sum(self.kv_bytes.values())

    @cached_property
    def kv_bytes(self) -> Mapping[torch.device, int]:
        """Measured: the keys and values that one token leaves in all layers, by where they lie."""
        cache: Any = DynamicCache(config=self.model.config)
        with torch.inference_mode():
            self.model(
                torch.zeros(1, 1, dtype=torch.long, device=self.device), past_key_values=cache
            )
        found: Counter[torch.device] = Counter()
        for layer in cache.layers:
            found[layer.keys.device] += _num_bytes(layer.keys) + _num_bytes(layer.values)
        return found


def _num_bytes(store: Tensor | None) -> int:
    return 0 if store is None else store.numel() * store.element_size()


def load_members(configs: Mapping[str, MemberConfig], roles: Roles) -> dict[str, Member]:
    """Role → member; equal settings are loaded once. Raises ``LoadError``, ``InvalidRequest``.

    A tuned member that is an adapter shares the weights of its reference.
    """
    loaded: dict[str, Member] = {}
    out: dict[str, Member] = {}
    on = {role: reference_of(role, configs, roles) for role in configs}
    for role, config in configs.items():
        key = repr(replace(config, path=identity(config.path)))
        if on[role] is None and key not in loaded:
            logger.info("loading %s from %s", role, config.path)
            loaded[key] = load_member(role, config)
        if on[role] is None:
            out[role] = loaded[key]
    for role, reference in on.items():
        if reference is not None:
            logger.info(
                "loading %s, an adapter on %s, from %s", role, reference, configs[role].path
            )
            out[role] = load_adapter(role, configs[role], out[reference])
    _pack([out[role] for role in configs])
    return {role: out[role] for role in configs}


def reference_of(role: str, configs: Mapping[str, MemberConfig], roles: Roles) -> str | None:
    """The role whose weights an adapter shares; None for a member of its own."""
    if not is_adapter(configs[role].path):
        return None
    reference = roles.reference_of.get(role, role)
    if reference not in configs or is_adapter(configs[reference].path):
        raise LoadError(
            f"{role}: {str(configs[role].path)!r} is an adapter; it needs a reference that is the "
            f"model it was trained on"
        )
    refuse_other_place(role, configs[role], configs[reference])
    return reference


def load_adapter(role: str, config: MemberConfig, reference: Member) -> Member:
    """The reference with an adapter, before anything is packed."""
    tokenizer = reference.tokenizer
    with _loading(role, config):
        if has_tokenizer(config.path):
            tokenizer = AutoTokenizer.from_pretrained(config.path, **_common(config))
        model = with_adapter(reference.model, config.path)
    return Member(config, model, tokenizer, _windows(role, model))


def _pack(members: Sequence[Member]) -> None:
    """Pack every model once; those that share plain weights share the packed ones."""
    is_shared = {id(member.model): is_adapter(member.config.path) for member in members}
    models = {id(member.model): member.model for member in members}
    packed: dict[int, PackedLinear] = {}
    for number, model in models.items():
        if not is_shared[number]:
            packed |= pack(model)
    for number, model in models.items():
        if is_shared[number]:
            share_packed(model, packed)
    logger.info("%d matrices packed for this CPU", len(packed))


def load_member(role: str, config: MemberConfig) -> Member:
    """Load one model and its tokenizer, and refuse what this engine cannot run; packs nothing."""
    refuse_wrong_path(role, config.path)
    if config.device_map is None:
        refuse_absent_device(device_of(config.device))
    common = _common(config)
    with _loading(role, config):
        tokenizer = AutoTokenizer.from_pretrained(config.path, **common)
        loader: Any = AutoModelForCausalLM  # its annotation knows nothing of the loading report
        model, report = loader.from_pretrained(
            config.path, **common, **placement(config), output_loading_info=True
        )
        if config.device_map is None and config.quantization_config is None:
            model.to(device_of(config.device))
    _refuse_random_weights(role, config, report)
    model.eval()
    return Member(config, model, tokenizer, _windows(role, model))


def sketch_member(role: str, config: MemberConfig) -> Member:
    """The member without weights: its shapes are real, its parameters take no memory."""
    refuse_wrong_path(role, config.path)
    common = _common(config)
    with _loading(role, config):
        _open_weight_files(config)
        tokenizer = AutoTokenizer.from_pretrained(config.path, **common)
        settings = AutoConfig.from_pretrained(config.path, **common)
        loader: Any = AutoModelForCausalLM  # untyped in transformers
        with torch.device("meta"):
            model = loader.from_config(
                settings,
                dtype=_sketched_dtype(config, settings),
                trust_remote_code=config.trust_remote_code,
            )
        # It may name more end tokens; a checkpoint need not have one.
        with suppress(OSError):
            model.generation_config = GenerationConfig.from_pretrained(config.path, **common)
    return Member(config, model, tokenizer, _windows(role, model))


def _common(config: MemberConfig) -> dict[str, Any]:
    """Keywords for every ``from_pretrained``: where to look, and what to trust."""
    names = ("revision", "token", "cache_dir", "local_files_only", "trust_remote_code")
    given = {name: getattr(config, name) for name in names if getattr(config, name) is not None}
    if is_hub_out_of_reach(config.path):
        given["local_files_only"] = True
    return given


@contextmanager
def _loading(role: str, config: MemberConfig) -> Iterator[None]:
    """``LoadError`` for whatever goes wrong inside."""
    try:
        yield
    except Exception as error:  # the libraries raise even bare exceptions on damaged files
        raise LoadError(
            f"cannot load {role} from {str(config.path)!r}: {first_line(error)}; check the folder "
            f"or hub id (config.json, safetensors weights, tokenizer) and the device"
        ) from error


def _open_weight_files(config: MemberConfig) -> None:
    """Open every weight file of a local folder; its header tells whether it is whole."""
    folder = Path(config.path)
    if not folder.is_dir() or not config.use_safetensors:
        return
    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.is_file():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    for name in sorted(names):
        with safe_open(folder / name, "pt"):
            pass


def _sketched_dtype(config: MemberConfig, settings: Any) -> torch.dtype:
    wanted = placement(config)["dtype"]
    found = (settings.dtype or torch.float32) if wanted == "auto" else getattr(torch, wanted)
    assert isinstance(found, torch.dtype), "dtypes were checked by MemberConfig"
    return found


def _windows(role: str, model: Any) -> dict[str, int | None]:
    """The kinds of attention layers and their windows; refuses caches that are no keys and values.

    Asked of transformers' own cache, which knows each family's layers.
    """
    windows: dict[str, int | None] = {}
    layer_types = getattr(model.config.get_text_config(decoder=True), "layer_types", None) or ()
    layers = () if model._is_stateful else DynamicCache(config=model.config).layers
    for layer in layers:
        if type(layer) not in _KINDS or "chunked_attention" in layer_types:
            layers = ()
            break
        windows[_KINDS[type(layer)]] = getattr(layer, "sliding_window", None)
    if not layers:
        raise LoadError(
            f"{role} is a {model.config.model_type!r} model, whose cache is not plain keys and "
            f"values, so that its rows cannot be batched or rewound; use a transformer with "
            f"full or sliding-window attention"
        )
    return windows


def _refuse_random_weights(role: str, config: MemberConfig, report: Mapping[str, Any]) -> None:
    """transformers only warns when a checkpoint lacks weights, and fills them at random."""
    missing = sorted(report.get("missing_keys") or ()) + sorted(
        str(key) for key in report.get("mismatched_keys") or ()
    )
    if missing:
        raise LoadError(
            f"{role}: the checkpoint {str(config.path)!r} lacks {len(missing)} weight(s), "
            f"first {missing[0]}; give the complete checkpoint"
        )
