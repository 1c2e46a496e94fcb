"""Sizes of the members and how each is trained: every number of a build in one place."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from transformers import LlamaConfig

from eft_integrations.tiny.tokenizer import CONTEXT_LEN, VOCAB_SIZE


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The architecture of a pre-trained member."""

    hidden_len: int
    num_layers: int
    mlp_len: int
    num_heads: int
    num_kv_heads: int


@dataclass(frozen=True)
class Phase:
    """Steps in a row with one kind of rows.

    Short rows cost less attention per token. `asking` multiplies the share of conversation and its
    kin: late in a run the facts are known, and what is left to learn is to speak of what was asked.
    """

    num_steps: int
    row_len: int = CONTEXT_LEN
    asking: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One pre-training run; every step sees `step_len` tokens, cut into the phase's rows."""

    shape: Shape
    phases: tuple[Phase, ...]
    peak_lr: float
    step_len: int = 4096
    num_warmup: int = 100
    weight_decay: float = 0.05
    max_norm: float = 1.0
    steps_between_checkpoints: int = 100
    seed: int = 0

    @property
    def num_steps(self) -> int:
        """How many steps all phases take together."""
        return sum(phase.num_steps for phase in self.phases)

    @property
    def num_tokens(self) -> int:
        """How many tokens the run sees."""
        return self.num_steps * self.step_len

    def is_checkpoint(self, num_done: int) -> bool:
        """Whether to save after `num_done` steps: now and then, and at the end."""
        return num_done % self.steps_between_checkpoints == 0 or num_done == self.num_steps

    def phase(self, step: int) -> Phase:
        """The phase that a step, counted from 0, belongs to."""
        ends = accumulate(phase.num_steps for phase in self.phases)
        return next(p for p, end in zip(self.phases, ends, strict=True) if step < end)


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """The fine-tuning run: gentle on purpose, for the delta should carry behaviour, not facts."""

    max_steps: int = 160
    peak_lr: float = 1e-4
    num_warmup: int = 10
    batch_len: int = 32
    steps_between_checks: int = 10
    enough_format: float = 0.99
    seed: int = 0


PRETRAINING = {
    "reference": Recipe(
        shape=Shape(hidden_len=96, num_layers=4, mlp_len=256, num_heads=3, num_kv_heads=3),
        phases=(Phase(900),),
        peak_lr=3e-3,
    ),
    "base": Recipe(
        shape=Shape(hidden_len=256, num_layers=5, mlp_len=704, num_heads=4, num_kv_heads=2),
        phases=(
            Phase(200),
            Phase(600, row_len=256),
            Phase(1050, row_len=256, asking=2.5),
            Phase(150, asking=2.5),
        ),
        peak_lr=2e-3,
    ),
}
TUNING = Tuning()


def config_of(shape: Shape, end_token_id: int) -> LlamaConfig:
    """The transformers configuration of a member of this shape."""
    return LlamaConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=shape.hidden_len,
        num_hidden_layers=shape.num_layers,
        intermediate_size=shape.mlp_len,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_kv_heads,
        max_position_embeddings=CONTEXT_LEN,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end_token_id,
        pad_token_id=end_token_id,
    )
