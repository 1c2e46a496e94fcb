"""GPUs that are not there: tensors of the CPU that say they lie on one, and count who waits.

What CUDA does is imitated at torch's Python face: operands must share a device; the host waits
where it reads a value, or a size that depends on values, and where it copies to a device from
memory that is not pinned. Kernels compute on the CPU, so that texts can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

CPU = torch.device("cpu")
_IS_CUDA: Any = vars(torch._C.TensorBase)["is_cuda"].__get__
# What tells the host a value, or makes a tensor of a size that values decide.
READS = {
    *("tolist", "item", "cpu", "numpy", "equal", "allclose", "nonzero", "bincount", "unique"),
    *("masked_select", "__bool__", "__int__", "__float__", "__index__", "__iter__", "__contains__"),
}


class Devices(TorchFunctionMode):
    """While it is entered ``cuda:0``, ``cuda:1`` … are there, for this thread."""

    def __init__(self) -> None:
        super().__init__()
        self.num_reads = 0
        self.num_sent = 0
        self.waits: list[str] = []  # copies for which the host waits
        self.crossed: list[tuple[torch.dtype, torch.Size]] = []  # from device to device

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func.__name__
        if func == Tensor.device.__get__:
            return place(args[0])
        if func == _IS_CUDA:
            return place(args[0]).type == "cuda"
        if name == "to":
            return self._to(*args, **kwargs)
        if name == "pin_memory":
            return put(args[0].clone(), CPU, is_pinned=True)
        wanted = kwargs.pop("device", None)
        here = self._shared(name, args, kwargs)
        there = here if wanted is None else torch.device(wanted)
        self._count(name, args, here, there)
        out = func(*args, **kwargs)
        if there != CPU:
            for one in tensors(out):
                put(one, there)
        return out

    def _to(self, one: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        device, dtype, is_async, _ = torch._C._nn._parse_to(*args, **kwargs)
        source, target = place(one), place(one) if device is None else device
        out = one if dtype is None else one.to(dtype)
        if source == target:
            return put(out, target)
        if target == CPU:
            self.num_reads += 1
        elif source == CPU:
            self.num_sent += 1
            if not (is_async and getattr(one, "is_it_pinned", False)):
                self.waits.append("to")
        else:
            self.crossed.append((out.dtype, out.shape))
        return put(out.clone(), target)

    def _count(self, name: str, args: Any, here: torch.device, there: torch.device) -> None:
        if here != CPU and (name in READS or (name.endswith("item__") and _reads_index(args[1]))):
            self.num_reads += 1
        if there != CPU and name in ("tensor", "as_tensor", "new_tensor"):
            self.waits.append(name)

    def _shared(self, name: str, args: Any, kwargs: Any) -> torch.device:
        """Where the operands are; scalars of the host may go with any."""
        found = {place(one) for one in tensors((args, kwargs)) if place(one) != CPU or one.dim()}
        assert len(found) <= 1, f"{name} of tensors on {sorted(map(str, found))}"
        return next(iter(found), CPU)


def place(one: Tensor) -> torch.device:
    """Where a tensor says that it lies."""
    where: torch.device = getattr(one, "is_said_to_be_on", CPU)
    return where


def put(one: Tensor, device: torch.device, *, is_pinned: bool = False) -> Tensor:
    """Let a tensor say so."""
    named: Any = one
    named.is_said_to_be_on, named.is_it_pinned = device, is_pinned
    return one


def tensors(tree: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and mappings."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, dict):
        yield from tensors([*tree.values()])
    elif isinstance(tree, (tuple, list)):
        for one in tree:
            yield from tensors(one)


def _reads_index(index: Any) -> bool:
    """Masks are counted, and a scalar is read, before a tensor is indexed by them."""
    return any(one.dtype == torch.bool or not one.dim() for one in tensors(index))


class Event:
    """``torch.cuda.Event``: comes true when the host has waited for the device."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._num_reads = devices.num_reads

    def query(self) -> bool:
        return self._devices.num_reads > self._num_reads

    def elapsed_time(self, later: Event) -> float:
        assert later.query(), "an event that is still to come has no time"
        return 2.0


class Stream:
    """``torch.cuda.current_stream()``."""

    def record_event(self, event: Event) -> Event:
        return event
