"""The members inside vLLM, each built, loaded and run by vLLM's own code. Imported by vLLM only."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from vllm.compilation.backends import set_model_tag
from vllm.distributed import parallel_state
from vllm.model_executor.model_loader.utils import initialize_model
from vllm.transformers_utils.config import get_config

from eft_integrations.mixture import BASE
from eft_integrations.vllm.composite import Composite

logger = logging.getLogger("vllm.eft_integrations")


class Member(nn.Module):
    """One member with its place: ``group`` is None for a member that is sharded like the rest."""

    def __init__(self, vllm_config: Any, *, tag: str, prefix: str, group: Any) -> None:
        super().__init__()
        self.hidden_size = int(vllm_config.model_config.hf_config.get_text_config().hidden_size)
        self._group = group
        with self._placed(), set_model_tag(tag):
            self.model = initialize_model(vllm_config=vllm_config, prefix=prefix)

    def forward(self, *inputs: Any) -> Any:
        with self._placed():
            return self.model(*inputs)

    def compute_logits(self, hidden: Tensor) -> Tensor | None:
        """Logits [N, V]; None on a rank that vLLM gathers none on."""
        with self._placed():
            logits: Tensor | None = self.model.compute_logits(hidden)
        return logits

    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> set[str]:
        """The names of the parameters that were loaded."""
        with self._placed():
            return {f"model.{name}" for name in self.model.load_weights(weights)}

    def empty_tensors(self, batch_size: int, dtype: torch.dtype, device: torch.device) -> Any:
        """What a stage of a pipeline receives before anything was sent."""
        return self.model.make_empty_intermediate_tensors(batch_size, dtype, device)

    @contextmanager
    def _placed(self) -> Iterator[None]:
        """Inside, a replicated member finds itself alone in its tensor-parallel group.

        vLLM has no interface for members of different parallelism in one worker.
        """
        if self._group is None:
            yield
            return
        whole = parallel_state._TP
        parallel_state._TP = self._group
        try:
            yield
        finally:
            parallel_state._TP = whole


def build_members(composite: Composite, vllm_config: Any) -> Iterator[Member]:
    """The members in the order of their roles, the large one first."""
    for index, role in enumerate(composite.speakers.roles.available):
        if role == BASE:
            # No prefix: a quantisation's lists of layers name those of the large model.
            config = vllm_config.with_hf_config(_own_config(composite, vllm_config))
            yield Member(config, tag="eft_base", prefix="", group=None)
        else:
            config = _small_config(composite.paths[role], vllm_config)
            yield Member(
                config,
                tag=f"eft_{index}",
                prefix=f"eft_{index}",
                group=_group(role, config),
            )


def _own_config(composite: Composite, vllm_config: Any) -> Any:
    """The large model's config as it was before it was overridden."""
    config = copy.deepcopy(vllm_config.model_config.hf_config)
    config.architectures = list(composite.architectures)
    config.vocab_size = composite.vocab_size
    return config


def _small_config(path: str, vllm_config: Any) -> Any:
    """vLLM's settings for a small member: those of the whole, without the quantisation."""
    trusts = vllm_config.model_config.trust_remote_code
    small = vllm_config.with_hf_config(get_config(path, trust_remote_code=trusts))
    small.quant_config = None
    small.model_config.quantization = None
    return small


def _group(role: str, vllm_config: Any) -> Any:
    """None where the member's heads divide among the ranks; else a group of one for each rank."""
    num_ranks = vllm_config.parallel_config.tensor_parallel_size
    if num_ranks == 1:
        return None
    config = vllm_config.model_config.hf_config.get_text_config()
    undivided = _undivided(config, num_ranks)
    if undivided is None:
        logger.info("%s is sharded over %d ranks", role, num_ranks)
        return None
    logger.info(
        "%s is replicated on %d ranks: its %s do not divide among them", role, num_ranks, undivided
    )
    return _groups_of_one()


def _undivided(config: Any, num_ranks: int) -> str | None:
    """What keeps vLLM from sharding a model of this config; None for nothing."""
    heads = config.num_attention_heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    if heads % num_ranks:
        return f"{heads} heads"
    # Key heads that are too few vLLM repeats.
    if kv_heads % num_ranks and num_ranks % kv_heads:
        return f"{kv_heads} key heads"
    middle = getattr(config, "intermediate_size", None)  # not every family says it
    return f"{middle} columns of the middle" if middle and middle % num_ranks else None


@cache
def _groups_of_one() -> Any:
    """Made once in a process, by all ranks together."""
    world = parallel_state.get_world_group()
    return parallel_state.init_model_parallel_group(
        [[rank] for rank in range(world.world_size)],
        world.local_rank,
        torch.distributed.get_backend(world.device_group),
        group_name="eft_alone",
    )
