"""Where the rule runs, and how numbers of the host get there."""

from __future__ import annotations

import torch
from torch import Tensor


def mixing_device(device: torch.device) -> torch.device:
    """Where logits of ``device`` are mixed: there, but MPS has no float64 for the noise."""
    return torch.device("cpu") if device.type == "mps" else device


def sent(values: Tensor, device: torch.device) -> Tensor:
    """``values`` on ``device``; on their way to a GPU nothing waits for them.

    A plain copy from the host waits until everything that was asked of the GPU before is done.
    """
    if device.type == "cuda" and values.device.type == "cpu":  # GPU only: not run without one
        # torch keeps pinned memory until the copy is done, and then uses it again.
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)
