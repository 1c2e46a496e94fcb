"""Sizes of the members and how each is trained: every number of a build in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from transformers import LlamaConfig

from eft_integrations.tiny import mixes
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
    step_len: int = 8192
    factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """Phases under one rise and fall of the learning rate, to ``peak`` times the recipe's own.

    At its end the weights become the mean of its own and those that the ``num_averaged`` − 1 stages
    before it left: stages that follow each other stay near enough, and their mean has what each of
    them forgot (stochastic weight averaging, arXiv 1803.05407).
    """

    phases: tuple[Phase, ...]
    peak: float = 1.0
    num_averaged: int = 1

    @property
    def num_steps(self) -> int:
        return sum(phase.num_steps for phase in self.phases)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One pre-training run; every step sees `step_len` tokens of its phase, cut into rows."""

    shape: Shape
    stages: tuple[Stage, ...]
    matrix_lr: float = 0.02  # for Muon
    vector_lr: float = 3e-3  # for AdamW: embeddings and gains
    num_warmup: int = 40
    weight_decay: float = 0.02
    max_norm: float = 1.0
    steps_between_checkpoints: int = 50
    seed: int = 0

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of all stages."""
        return tuple(phase for stage in self.stages for phase in stage.phases)

    @property
    def num_steps(self) -> int:
        """How many steps all stages take together."""
        return sum(stage.num_steps for stage in self.stages)

    @property
    def num_tokens(self) -> int:
        """How many tokens the run sees."""
        return sum(phase.num_steps * phase.step_len for phase in self.phases)

    @property
    def num_shapes(self) -> int:
        """How many shapes (rows, length) its steps have."""
        return len({(p.step_len // length, length) for p in self.phases for length in p.row_lens})

    @property
    def num_averaged(self) -> int:
        """Of how many stages the ends are kept."""
        return max(stage.num_averaged for stage in self.stages)

    def ended(self, num_done: int) -> Stage | None:
        """The stage that these steps end, if they end one."""
        ends = accumulate(stage.num_steps for stage in self.stages)
        return dict(zip(ends, self.stages, strict=True)).get(num_done)

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
        ends = list(accumulate(stage.num_steps for stage in self.stages))
        number = next(n for n, end in enumerate(ends) if step < end)
        stage = self.stages[number]
        start = ends[number] - stage.num_steps
        return stage.peak * rate(step - start, stage.num_steps, self.num_warmup)


def rate(step: int, num_steps: int, num_warmup: int) -> float:
    """Share of a stage's peak: up in a line, level, and down in a line from 40 % on."""
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


_USUAL_ROWS = (512, 512, 512, 1024)
_MIDDLING_ROWS = (512, 512, 1024)
_EVERY_LEN = (*_MIDDLING_ROWS * 4, CONTEXT_LEN)
_LISTS = Phase(400, (128,), 4096, {"copies": 60.0})
# Small tables and questions about them, then short texts and questions about those, then all.
_TABLES = Phase(300, (256,), 4096, {"recall": 60.0})
_SHORT_TEXTS = Phase(300, (256,), 4096, {"quiz": 200.0, "recall": 20.0})

PRETRAINING = {
    "reference": Recipe(
        shape=Shape(hidden_len=112, num_layers=4, mlp_len=304, num_heads=4, num_kv_heads=4),
        stages=(
            Stage((_LISTS, Phase(900, _USUAL_ROWS), Phase(60), Phase(300, _USUAL_ROWS))),
            Stage(
                (
                    Phase(800, (256, 512), factors=mixes.MUCH_OF_SMALL),
                    Phase(300, _USUAL_ROWS, factors=mixes.MORE_OF_SMALL),
                ),
                peak=0.6,
            ),
            Stage(
                (
                    Phase(2400, _MIDDLING_ROWS, 4096, mixes.DENSE_OF_SMALL),
                    Phase(40, (4096,), 4096, mixes.BROAD_OF_SMALL),
                    Phase(1560, _MIDDLING_ROWS, 4096, mixes.BROAD_OF_SMALL),
                ),
                peak=0.5,
            ),
            Stage((Phase(300, _MIDDLING_ROWS, 4096, mixes.RESULTS_OF_SMALL),), peak=0.2),
            Stage((Phase(400, _EVERY_LEN, 4096, mixes.FULL_OF_SMALL),), peak=0.2),
        ),
    ),
    "base": Recipe(
        shape=Shape(hidden_len=256, num_layers=5, mlp_len=704, num_heads=8, num_kv_heads=4),
        stages=(
            Stage((_LISTS, Phase(500, _USUAL_ROWS), Phase(40), Phase(300, _USUAL_ROWS))),
            Stage((_TABLES, Phase(200, _USUAL_ROWS)), peak=0.5),
            Stage((_SHORT_TEXTS,), peak=0.5),
            Stage((Phase(300, _USUAL_ROWS, factors=mixes.ALL),), peak=0.6),
            Stage(
                (
                    Phase(700, (256, 512), factors=mixes.MUCH),
                    Phase(1200, (256, 512, 512), factors=mixes.MUCH),
                    Phase(400, _USUAL_ROWS, factors=mixes.MORE),
                ),
                peak=0.6,
            ),
            Stage(
                (
                    Phase(1000, (256, 512, 512), factors=mixes.ROUND),
                    Phase(500, _USUAL_ROWS, factors=mixes.ROUNDED),
                ),
                peak=0.4,
            ),
            Stage(
                (
                    Phase(3400, _MIDDLING_ROWS, 4096, mixes.DENSE),
                    Phase(40, (4096,), 4096, mixes.BROAD),
                    Phase(3560, _MIDDLING_ROWS, 4096, mixes.BROAD),
                ),
                peak=0.45,
            ),
            Stage((Phase(2800, _MIDDLING_ROWS, 4096, mixes.LAST),), peak=0.25),
            Stage((Phase(700, _MIDDLING_ROWS, 4096, mixes.RESULTS),), peak=0.15),
            Stage((Phase(800, _MIDDLING_ROWS, 4096, mixes.TOOLS),), peak=0.25),
            Stage((Phase(4200, _MIDDLING_ROWS, 4096, mixes.WHOLE),), peak=0.2),
            Stage(
                (
                    Phase(1000, _EVERY_LEN, 4096, mixes.FULL),
                    Phase(2000, _EVERY_LEN, 4096, mixes.APPLIED),
                ),
                peak=0.2,
                num_averaged=3,
            ),
        ),
    ),
}
# Which member a tuned one starts from, and how it is tuned.
TUNED_FROM = {"helpful": "reference", "harmless": "reference", "ceiling": "base"}
TUNING = {
    "helpful": Tuning(manner="helpful"),
    "harmless": Tuning(manner="harmless", steps_between_checks=40),
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
