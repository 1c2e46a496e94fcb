"""Where the rule runs, and how numbers of the host get there."""

from __future__ import annotations

import torch
from torch import Tensor


def mixing_device(device: torch.device) -> torch.device:
    """Where logits of ``device`` are mixed: there, but MPS has no float64 for the noise."""
    return torch.device("cpu") if device.type == "mps" else device


def sent(host: Tensor, device: torch.device) -> Tensor:
    """``host``, a tensor of the CPU, on ``device``; the host does not wait for a GPU.

    A plain copy to a GPU waits until everything that was asked of it before is done.
    """
    if device.type == "cuda":  # GPU only: not run on a machine without one
        # torch keeps pinned memory until the copy is done, and then uses it again.
        return host.pin_memory().to(device, non_blocking=True)
    return host.to(device)
