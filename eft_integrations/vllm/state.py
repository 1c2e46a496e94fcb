"""The hook of vLLM's V2 runner: a request's coefficients go to the table, and to the forward pass.

Imported by vLLM only.
"""

from __future__ import annotations

from typing import Any

import torch
from vllm.v1.worker.gpu.model_states.default import DefaultModelState

from eft_integrations.vllm.table import Table


class EFTModelState(DefaultModelState):
    """vLLM's own state of a model, with the table kept up to date."""

    supports_prompt_embeds = False  # an embedding belongs to one member only

    def __init__(self, vllm_config: Any, model: Any, *rest: Any) -> None:
        super().__init__(vllm_config, model, *rest)
        self._table: Table = model.table
        self._slots: dict[str, int] = {}
        # CUDA graphs read their inputs where they read them when they were captured.
        self._buffer = torch.zeros(
            self.max_num_tokens, self._table.layout.width, device=self.device
        )

    def add_request(self, req_index: int, new_req_data: Any) -> None:
        super().add_request(req_index, new_req_data)
        params = new_req_data.sampling_params
        self._table.write(req_index, params.extra_args if params is not None else None)
        self._slots[new_req_data.req_id] = req_index

    def remove_request(self, req_id: str) -> None:
        super().remove_request(req_id)
        slot = self._slots.pop(req_id, None)
        if slot is not None:
            self._table.clear(slot)

    def apply_staged_writes(self) -> None:
        super().apply_staged_writes()
        self._table.flush()

    def prepare_inputs(self, input_batch: Any, req_states: Any) -> dict[str, Any]:
        num_tokens = input_batch.num_tokens_after_padding
        num_reqs = input_batch.num_reqs
        rows = self._table.spread(
            input_batch.query_start_loc[: num_reqs + 1],
            num_tokens,
            input_batch.idx_mapping[:num_reqs],
        )
        self._buffer[:num_tokens].copy_(rows)
        return {
            **super().prepare_inputs(input_batch, req_states),
            "coefficients": self._buffer[:num_tokens],
        }

    def prepare_dummy_inputs(self, num_reqs: int, num_tokens: int) -> dict[str, Any]:
        return {
            **super().prepare_dummy_inputs(num_reqs, num_tokens),
            "coefficients": self._buffer[:num_tokens],
        }
