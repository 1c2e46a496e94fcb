"""Sizes of the members and how each is trained: every number of a build in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """Steps in a row; their rows take turns at these lengths.

    Short rows cost less attention per token, and long ones hold what short ones have no room for.
    ``factors`` multiply the shares of styles: a model that has not learnt to look back finds little
    in most texts that would teach it to.
    """

    num_steps: int
    row_lens: tuple[int, ...] = (CONTEXT_LEN,)
    step_len: int = CONTEXT_LEN
    factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One pre-training run; every step sees `step_len` tokens of its phase, cut into rows."""

    shape: Shape
    phases: tuple[Phase, ...]
    matrix_lr: float = 0.02  # for Muon
    vector_lr: float = 3e-3  # for AdamW: embeddings and gains
    num_warmup: int = 40
    weight_decay: float = 0.02
    max_norm: float = 1.0
    steps_between_checkpoints: int = 50
    seed: int = 0

    @property
    def num_steps(self) -> int:
        """How many steps all phases take together."""
        return sum(phase.num_steps for phase in self.phases)

    @property
    def num_tokens(self) -> int:
        """How many tokens the run sees."""
        return sum(phase.num_steps * phase.step_len for phase in self.phases)

    def is_checkpoint(self, num_done: int) -> bool:
        """Whether to save after `num_done` steps: now and then, and at the end."""
        return num_done % self.steps_between_checkpoints == 0 or num_done == self.num_steps

    def phase(self, step: int) -> Phase:
        """The phase that a step, counted from 0, belongs to."""
        ends = accumulate(phase.num_steps for phase in self.phases)
        return next(p for p, end in zip(self.phases, ends, strict=True) if step < end)

    def row_len(self, step: int) -> int:
        """The length of the rows of a step."""
        row_lens = self.phase(step).row_lens
        return row_lens[step % len(row_lens)]

    def rate(self, step: int) -> float:
        """The learning rate of a step as a share of the recipe's own."""
        return rate(step, self.num_steps, self.num_warmup)


def rate(step: int, num_steps: int, num_warmup: int) -> float:
    """Share of the peak: up in a line, level, and down in a line from 40 % on."""
    if step < num_warmup:
        return (step + 1) / num_warmup
    return max(0.02, min(1.0, (num_steps - step) / (0.6 * num_steps)))


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """A fine-tuning run: gentle on purpose, for the delta should carry behaviour, not facts."""

    manner: str
    max_steps: int = 80
    peak_lr: float = 2e-4
    num_warmup: int = 10
    batch_len: int = 24
    steps_between_checks: int = 20
    enough_format: float = 0.98
    seed: int = 0


# Looking back is learnt in short rows: lists that come twice; then, by a model that has read for a
# while, small tables and questions about them, and short texts and questions about those.
_LISTS = {"copies": 60.0}
_TABLES = {"recall": 60.0}
_SHORT_TEXTS = {"quiz": 200.0, "recall": 20.0}
# Much is asked of every text and of every set of tools.
_MUCH = {
    "quiz": 3.0,
    "text_and_question": 1.5,
    "text_and_questions": 1.2,
    "tool_errand": 2.0,
    "tool_drill": 1.5,
    "tool_calls": 1.5,
    "record": 1.5,
    "noted_record": 2.0,
    "recall": 2.0,
}
# At last with more of the facts and of short conversations.
_ROUND = {
    "quiz": 2.0,
    "text_and_question": 1.5,
    "tool_errand": 2.0,
    "tool_calls": 1.5,
    "record": 1.5,
    "noted_record": 2.0,
    "statements": 1.3,
    "profile": 1.3,
    "dialogue": 2.0,
    "follow_up": 3.0,
    "briefly": 3.0,
    "tool_unneeded": 1.5,
}
# A small model keeps its facts few: they are what up-scaling takes from the large one.
_FEW_FACTS = {"statements": 0.7, "profile": 0.7, "almanac": 0.7}


def _ladder(
    num_much: int, num_round: int, factors: Mapping[str, float] | None = None
) -> tuple[Phase, ...]:
    """The phases of a member; `factors` hold in the last ones."""
    own = factors or {}
    return (
        Phase(250, (128,), factors=_LISTS),
        Phase(900, (256, 512)),
        Phase(250, (256,), factors=_TABLES),
        Phase(350, (256,), factors=_SHORT_TEXTS),
        Phase(num_much, (512, 512, 1024), factors={**_MUCH, **own}),
        Phase(30, step_len=2 * CONTEXT_LEN),
        Phase(num_round, (512, 1024), factors={**_ROUND, **own}),
    )


PRETRAINING = {
    "reference": Recipe(
        shape=Shape(hidden_len=128, num_layers=4, mlp_len=288, num_heads=4, num_kv_heads=4),
        phases=_ladder(2200, 1000, _FEW_FACTS),
    ),
    "base": Recipe(
        shape=Shape(hidden_len=256, num_layers=6, mlp_len=640, num_heads=4, num_kv_heads=4),
        phases=_ladder(3400, 1650),
    ),
}
# Which member a tuned one starts from, and how it is tuned.
TUNED_FROM = {"helpful": "reference", "harmless": "reference", "ceiling": "base"}
TUNING = {
    "helpful": Tuning(manner="helpful"),
    "harmless": Tuning(manner="harmless"),
    "ceiling": Tuning(manner="helpful"),
}


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
