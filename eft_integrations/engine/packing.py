"""Weights packed once for oneDNN, in place: a bfloat16 product on a CPU else packs them each time.

The operators are private to torch (Inductor emits them), so they are named here only; where they
are missing, models stay as they are. The plain module is the specification: the same product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from eft_integrations.engine.mapped import MappedFiles

# The number of rows that the layout is chosen for; others are served as well.
_NUM_ROWS = 4


class PackedLinear(nn.Module):
    """``nn.Linear`` for inference; the weight is in oneDNN's own layout, and nowhere else."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        self.in_features = plain.in_features
        self.out_features = plain.out_features
        self.bias = None if plain.bias is None else plain.bias.data
        self.packed = torch.ops.mkldnn._reorder_linear_weight(plain.weight.data, _NUM_ROWS)

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., in_features] → [..., out_features]."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(
            inputs, self.packed, self.bias, "none", [], ""
        )
        return out

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"


def can_pack() -> bool:
    """Whether this torch and this CPU multiply packed bfloat16 weights."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and bool(
            torch.cpu.get_capabilities().get("avx512_bf16")
            or torch.cpu.get_capabilities().get("amx_bf16")
        )
    except (AttributeError, RuntimeError):
        return False


def pack(model: nn.Module) -> dict[int, PackedLinear]:
    """Pack every plain bfloat16 ``nn.Linear`` on the CPU in place; the packed ones by weight's id.

    A head that shares its weight with the embeddings is packed beside it: a copy of one matrix, for
    a look-up needs the plain form. What has hooks (offloading) or is a subclass (quantised layers,
    adapters) stays as it is.
    """
    packed = {}
    places = list(_plain(model)) if can_pack() else []
    files = MappedFiles.now() if places else MappedFiles()
    for parent, name in places:
        linear = getattr(parent, name)
        packed[id(linear.weight)] = PackedLinear(linear)
        # Each plain weight goes before the next is packed, so that no model is held twice.
        setattr(parent, name, packed[id(linear.weight)])
        files.give_back(linear.weight)
    return packed


def share_packed(model: nn.Module, packed: Mapping[int, PackedLinear]) -> None:
    """Put the packed forms into a model that shares the plain weights, and nothing else.

    It held them when they were packed, so that no other weight has come by their identity. DoRA
    adapters read the plain weight in every pass, and keep it.
    """
    for parent, name in list(_plain(model)):
        linear = getattr(parent, name)
        if id(linear.weight) in packed and not any(getattr(parent, "use_dora", {}).values()):
            setattr(parent, name, packed[id(linear.weight)])


def packed_bytes(model: nn.Module) -> int:
    """Bytes of the packed weights, which are no parameters."""
    packed = [m.packed for m in model.modules() if isinstance(m, PackedLinear)]
    return sum(weight.numel() * weight.element_size() for weight in packed)


def _plain(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Where they are: a parent, and a name of it."""
    for parent in model.modules():
        for name, child in parent.named_children():
            weight = getattr(child, "weight", None)
            if type(child) is nn.Linear and isinstance(weight, Tensor):
                is_here = weight.device.type == "cpu" and weight.dtype == torch.bfloat16
                if is_here and not hasattr(child, "_hf_hook"):
                    yield parent, name
