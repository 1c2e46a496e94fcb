"""``EFTForCausalLM``: the up-scaled model as vLLM sees it. Imported by vLLM only.

The hidden states of all members travel through vLLM side by side, and beside them the coefficients
of their row. So whatever rows vLLM selects, each arrives with its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from vllm.distributed import get_pp_group
from vllm.forward_context import get_forward_context
from vllm.model_executor.model_loader.default_loader import DefaultModelLoader
from vllm.model_executor.models.interfaces import SupportsPP
from vllm.sequence import IntermediateTensors

from eft_integrations.mixture import BASE
from eft_integrations.rule import log_probabilities, mix
from eft_integrations.rule.mix import FLOOR
from eft_integrations.vllm.composite import Composite
from eft_integrations.vllm.members import Member, build_members
from eft_integrations.vllm.packing import pack, unpack
from eft_integrations.vllm.table import NAME, Table


class EFTForCausalLM(nn.Module, SupportsPP):
    """A large member, small ones, and the rule over their logits."""

    def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:  # noqa: ARG002 — always ""
        super().__init__()
        config = vllm_config.model_config.hf_config
        composite = Composite.of(config.eft)
        self.roles = composite.speakers.roles.available
        self.num_shared = composite.num_shared
        self.width: int = config.vocab_size
        self.each: tuple[Member, ...] = tuple(build_members(composite, vllm_config))
        self.members = nn.ModuleList(self.each)
        self.secondary_weights = [
            DefaultModelLoader.Source(composite.paths[role], None, prefix=_mark(index))
            for index, role in enumerate(self.roles)
            if role != BASE
        ]
        self.table = Table(
            composite.speakers,
            vllm_config.scheduler_config.max_num_seqs,
            torch.device(vllm_config.device_config.device),
        )
        # Where the V1 runner's processor finds it.
        vllm_config.compilation_config.static_forward_context[NAME] = self.table

    @staticmethod
    def get_model_state_cls() -> Any:
        """The V2 runner asks for it."""
        from eft_integrations.vllm.state import EFTModelState

        return EFTModelState

    def embed_input_ids(self, input_ids: Tensor) -> Tensor:
        """The large member's embedding: vLLM demands one, the forward pass uses each its own."""
        embedded: Tensor = self.each[0].model.embed_input_ids(input_ids)
        return embedded

    def make_empty_intermediate_tensors(
        self, batch_size: int, dtype: torch.dtype, device: torch.device
    ) -> Any:
        return _joined([one.empty_tensors(batch_size, dtype, device) for one in self.each])

    def forward(
        self,
        input_ids: Tensor | None,
        positions: Tensor,
        intermediate_tensors: Any = None,
        inputs_embeds: Tensor | None = None,  # noqa: ARG002 — vLLM names it; refused by launch
        coefficients: Tensor | None = None,
    ) -> Any:
        """[T] → [T, sum of hidden sizes + columns of coefficients]; between stages, all states.

        ``coefficients`` float32 [T, C] come from the V2 runner; for V1 they are looked up.
        """
        states = [
            member(input_ids, positions, _part(intermediate_tensors, index))
            for index, member in enumerate(self.each)
        ]
        if not get_pp_group().is_last_rank:
            return _joined(states)
        rows = self._rows(len(positions)) if coefficients is None else coefficients
        return pack(states, rows)

    def compute_logits(self, hidden: Tensor) -> Tensor | None:
        """Rows as ``forward`` returned them → the mixture's scores, float32 [N, V]."""
        states, rows = unpack(hidden, [member.hidden_size for member in self.each])
        logits = [
            member.compute_logits(state) for member, state in zip(self.each, states, strict=True)
        ]
        told = [one for one in logits if one is not None]
        if len(told) < len(logits):
            return None
        extras = self.table.extras
        # Without filter and mask the constant by which logits differ from them is nobody's concern.
        prepare = log_probabilities if extras else _floored
        members = {
            role: prepare(one[:, : self.num_shared])
            for role, one in zip(self.roles, told, strict=True)
        }
        columns = self.table.layout.columns(rows, extras)
        scores, _ = mix(members, columns)
        return nn.functional.pad(scores, (0, self.width - self.num_shared), value=-torch.inf)

    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> set[str]:
        """The stream of all checkpoints, each to its member; the names of what was loaded."""
        loaded: set[str] = set()
        for index, named in groupby(weights, key=lambda one: self._owner(one[0])):
            own = ((name.removeprefix(_mark(index)), weight) for name, weight in named)
            names = self.each[index].load_weights(own)
            loaded |= {f"members.{index}.{name}" for name in names}
        return loaded

    def _owner(self, name: str) -> int:
        marked = (i for i in range(1, len(self.each)) if name.startswith(_mark(i)))
        return next(marked, 0)

    def _rows(self, num_tokens: int) -> Tensor:
        """V1: the table's rows of the tokens of this pass."""
        metadata = get_forward_context().attn_metadata
        if not metadata:  # a pass that only measures memory
            return self.table.first(num_tokens)
        first = next(iter(metadata.values()))
        return self.table.spread(first.query_start_loc, num_tokens)


def _mark(index: int) -> str:
    """What stands before the names of a small member's weights."""
    return f"eft_{index}/"


def _floored(logits: Tensor) -> Tensor:
    return logits.float().clamp_min(FLOOR)


def _joined(parts: list[Any]) -> Any:
    """The states that members hand to the next stage, as one set."""
    return IntermediateTensors(
        {f"{i}/{name}": t for i, part in enumerate(parts) for name, t in part.items()}
    )


def _part(joined: Any, index: int) -> Any:
    """One member's states of a joined set."""
    if joined is None:
        return None
    mark = f"{index}/"
    own = {k.removeprefix(mark): t for k, t in joined.items() if k.startswith(mark)}
    return IntermediateTensors(own)
