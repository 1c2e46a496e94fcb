"""The coefficients of the requests that run: a row of numbers for each slot of vLLM's batch."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor

from eft_integrations.errors import EFTError
from eft_integrations.mixture import Terms
from eft_integrations.rule import Layout
from eft_integrations.rule.columns import Place
from eft_integrations.vllm.composite import Speakers

logger = logging.getLogger("eft_integrations")

NAME = "eft.coefficients"  # among the layers that vLLM's runner finds by name


class Table:
    """Written on the host when requests come and go, read on the device by every step.

    ``extras`` tells which filters and masks any request uses, without asking the device. Before
    the first request it is all of them, so that vLLM measures the memory that they take.
    """

    def __init__(self, speakers: Speakers, num_slots: int, device: torch.device) -> None:
        self.layout = Layout(speakers.roles)
        self.extras: frozenset[Place] = self.layout.every_extra
        self._speakers = speakers
        self._default = speakers.terms(None)
        self._used: dict[int, frozenset[Place]] = {}
        self._is_changed = False
        self._host = _row(self.layout, self._default).repeat(num_slots, 1)
        self._rows = self._host.to(device, copy=True)

    def write(self, slot: int, arguments: Mapping[str, object] | None) -> None:
        """The request in ``slot`` asks for this."""
        try:
            terms = self._speakers.terms(arguments)
        except EFTError:
            # Refused by the front end long before; an error here would end the engine.
            logger.exception("coefficients that were not checked; taking the default")
            terms = self._default
        self._host[slot] = _row(self.layout, terms)
        self._used[slot] = self.layout.extras(terms)
        self._is_changed = True

    def clear(self, slot: int) -> None:
        self._used.pop(slot, None)
        self._is_changed = True

    def swap(self, left: int, right: int) -> None:
        """The two requests change places."""
        self._host[[left, right]] = self._host[[right, left]]
        used = {left: self._used.pop(right, None), right: self._used.pop(left, None)}
        self._used.update({slot: extras for slot, extras in used.items() if extras is not None})
        self._is_changed = True

    def flush(self) -> None:
        """What was written holds from the next step on."""
        if not self._is_changed:
            return
        # From memory that is not pinned, a copy has read the host when it returns.
        self._rows.copy_(self._host)
        self._is_changed = False
        self.extras = frozenset().union(*self._used.values())

    def spread(self, starts: Tensor, num_tokens: int, slots: Tensor | None = None) -> Tensor:
        """The row of each token → float32 [num_tokens, width].

        ``starts`` [R + 1]: where the tokens of each request begin; ``slots`` [R]: whose they are,
        by default one after the other. Padding at the end takes the last row.
        """
        place = torch.arange(num_tokens, dtype=starts.dtype, device=starts.device)
        request = torch.bucketize(place, starts[1:-1], right=True)
        return self._rows[request if slots is None else slots[request]]

    def first(self, num_tokens: int) -> Tensor:
        """Some row for each token, where nobody's request is run."""
        return self._rows[:1].expand(num_tokens, -1)


def _row(layout: Layout, terms: Terms) -> Tensor:
    # vLLM builds a model with its own device and dtype as the default.
    return torch.tensor(layout.row(terms), dtype=torch.float32, device="cpu")
