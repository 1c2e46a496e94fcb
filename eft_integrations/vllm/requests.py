"""Coefficients of requests, seen through vLLM's interface of logits processors.

The front end asks such a class whether the arguments of a request are right, and answers HTTP 400
where they are not. In the V1 runner it also follows the batch; the V2 runner has a hook of its own
for that (``state.py``). The logits are never touched. Imported by vLLM only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from torch import Tensor
from vllm.v1.sample.logits_processor.interface import LogitsProcessor as V1Processor
from vllm.v1.sample.logits_processor.interface import MoveDirectionality
from vllm.v1.worker.gpu.sample.logits_processor.interface import LogitsProcessor as V2Processor

from eft_integrations.errors import EFTError
from eft_integrations.vllm.composite import Speakers, class_named
from eft_integrations.vllm.table import NAME, Table


class Coefficients(V1Processor, V2Processor):
    """One class for both runners, with a subclass for each set of members."""

    speakers: ClassVar[Speakers]

    def __init__(self, vllm_config: Any, *_: object) -> None:
        self._layers: Mapping[str, Any] = vllm_config.compilation_config.static_forward_context

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Raise ``ValueError``, which vLLM turns into an answer to this request."""
        try:
            cls.speakers.terms(sampling_params.extra_args)
        except EFTError as error:
            raise ValueError(str(error)) from error

    def apply(self, logits: Tensor, *_: object) -> Tensor:
        return logits

    def add_request(self, *_: object) -> bool:
        """V2: whether logits of this request are changed here."""
        return False

    def is_argmax_invariant(self) -> bool:
        return True

    def update_state(self, batch_update: Any) -> None:
        """V1: the requests that came, went and moved, before each forward pass."""
        if batch_update is None:
            return
        table: Table = self._layers[NAME]
        for slot in batch_update.removed:
            table.clear(slot)
        for slot, params, *_ in batch_update.added:
            table.write(slot, params.extra_args)
        for source, target, direction in batch_update.moved:
            table.swap(source, target)
            if direction is MoveDirectionality.UNIDIRECTIONAL:
                table.clear(source)
        table.flush()


@cache
def __getattr__(name: str) -> type[Coefficients]:
    return class_named(name, Coefficients)
