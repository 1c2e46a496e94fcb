"""How long a pass takes on its device, which may run behind the host."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import torch


class Stopwatch:
    """Runs from when it is made until ``stop``.

    On a GPU it is two events in the stream of the passes: the host times how long they take to
    ask for, not how long they take.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._marks = [self._mark()]

    def stop(self) -> None:
        """Nothing asked for after this counts."""
        self._marks.append(self._mark())

    def seconds(self) -> float | None:
        """Between the two; None while the device has not come so far. Never waits for it."""
        first, last = self._marks
        if self._device.type == "cuda":  # GPU only: not run on a machine without one
            return float(first.elapsed_time(last)) / 1000 if last.query() else None
        return float(last - first)

    def _mark(self) -> Any:
        if self._device.type == "cuda":  # GPU only: not run on a machine without one
            event: Any = torch.cuda.Event
            return torch.cuda.current_stream(self._device).record_event(event(enable_timing=True))
        return perf_counter()
