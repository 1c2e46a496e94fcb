"""Muon for the matrices of a member: momentum whose update is made orthogonal.

`torch.optim.Muon` computes in bfloat16 whatever it is given, which a CPU without such instructions
emulates: it then takes three times as long as the model. This is the same rule in a type to choose
(Jordan et al. 2024, https://kellerjordan.github.io/posts/muon).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_NUM_ITERATIONS = 5


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """(N, rows, columns) to matrices with the same singular vectors and singular values near 1."""
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if is_tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_NUM_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    orthogonal: torch.Tensor = x.mT if is_tall else x
    return orthogonal


class Muon(Optimizer):
    """For parameters with two dimensions; others belong to AdamW."""

    def __init__(
        self,
        matrices: Iterable[torch.Tensor],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self._dtype = dtype

    # Types ignored below: torch's own step may return a loss, and every matrix here has a gradient.
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; matrices of one shape are made orthogonal together."""
        assert closure is None, "this optimizer never evaluates the loss again"
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    by_shape[matrix.shape].append(matrix)
            for matrices in by_shape.values():
                self._step_together(matrices, group)

    def _step_together(self, matrices: list[torch.Tensor], group: dict[str, Any]) -> None:
        updates = []
        for matrix in matrices:
            buffer = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
            buffer.lerp_(matrix.grad, 1 - group["momentum"])
            updates.append(matrix.grad.lerp(buffer, group["momentum"]))  # type: ignore[union-attr]
        rows, columns = matrices[0].shape
        scale = max(1.0, rows / columns) ** 0.5
        together = orthogonalised(torch.stack(updates).to(self._dtype))
        for matrix, update in zip(matrices, together, strict=True):
            matrix.mul_(1 - group["lr"] * group["weight_decay"])
            matrix.add_(update, alpha=-group["lr"] * scale)
