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
    step_len: int = 8192
    factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """Phases under one rise and fall of the learning rate, to ``peak`` times the recipe's own."""

    phases: tuple[Phase, ...]
    peak: float = 1.0

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
_LISTS = Phase(400, (128,), 4096, {"copies": 60.0})
# Small tables and questions about them, then short texts and questions about those, then all.
_TABLES = Phase(300, (256,), 4096, {"recall": 60.0})
_SHORT_TEXTS = Phase(300, (256,), 4096, {"quiz": 200.0, "recall": 20.0})
_ALL = {
    "statements": 2.5,
    "profile": 2.5,
    "almanac": 1.5,
    "quiz": 3.0,
    "tool_drill": 2.0,
    "recall": 1.5,
    "record": 1.5,
}

# Longer texts, more tools and material written by hand, each asked much; then all at their shares.
_MUCH = {
    "quiz": 60.0,
    "tool_drill": 30.0,
    "tool_errand": 10.0,
    "tool_call": 4.0,
    "tool_calls": 5.0,
    "record": 12.0,
    "noted_record": 10.0,
    "text_and_question": 10.0,
    "text_and_questions": 6.0,
    "recall": 5.0,
    "statements": 3.0,
    "profile": 3.0,
    "almanac": 3.0,
}
_MORE = {
    "statements": 2.5,
    "profile": 2.5,
    "almanac": 1.5,
    "quiz": 10.0,
    "tool_drill": 8.0,
    "tool_errand": 3.0,
    "record": 4.0,
    "noted_record": 4.0,
    "recall": 1.5,
    "text_and_question": 3.0,
    "text_and_questions": 3.0,
}
# Once more, with facts and conversation beside the texts and tools, which had pushed them aside.
_ROUND = {
    "quiz": 35.0,
    "tool_drill": 22.0,
    "tool_errand": 14.0,
    "tool_call": 4.0,
    "tool_calls": 8.0,
    "record": 10.0,
    "noted_record": 10.0,
    "text_and_question": 16.0,
    "text_and_questions": 10.0,
    "recall": 3.0,
    "statements": 4.0,
    "profile": 4.0,
    "almanac": 4.0,
    "dialogue": 2.0,
    "follow_up": 3.0,
}
_ROUNDED = _MORE | {
    "text_and_question": 5.0,
    "tool_calls": 4.0,
    "tool_unneeded": 2.0,
    "dialogue": 2.0,
    "follow_up": 3.0,
    "briefly": 3.0,
}
# A small model keeps its facts few: they are what up-scaling takes from the large one.
_MUCH_OF_SMALL = {
    "quiz": 30.0,
    "tool_drill": 16.0,
    "tool_errand": 6.0,
    "tool_call": 3.0,
    "tool_calls": 4.0,
    "record": 8.0,
    "noted_record": 6.0,
    "text_and_question": 6.0,
    "text_and_questions": 4.0,
    "recall": 5.0,
    "statements": 1.5,
    "profile": 1.5,
    "dialogue": 1.5,
}
_MORE_OF_SMALL = {
    "statements": 1.5,
    "profile": 1.5,
    "quiz": 8.0,
    "tool_drill": 6.0,
    "tool_errand": 3.0,
    "record": 4.0,
    "noted_record": 4.0,
    "text_and_question": 3.0,
    "text_and_questions": 3.0,
    "dialogue": 1.5,
}

# Today's material, dense: mostly what is looked up, in the forms that applications have; then more
# of everything that a member must keep.
_DENSE = {
    "quiz": 9.0,
    "text_and_questions": 3.0,
    "text_and_question": 1.2,
    "recall": 2.0,
    "tool_drill": 3.0,
    "tool_errand": 3.0,
    "tool_call": 1.0,
    "tool_calls": 3.0,
    "tool_session": 0.8,
    "tool_unneeded": 1.2,
    "tool_result": 1.5,
    "record": 3.0,
    "noted_record": 4.0,
    "condensing": 1.5,
    "dividing": 1.5,
    "refining": 1.5,
    "gleaning": 1.5,
    "choosing": 1.5,
    "judging": 1.5,
    "reasoning": 1.0,
    "statements": 0.45,
    "profile": 0.5,
    "almanac": 0.9,
    "dialogue": 0.9,
    "follow_up": 1.8,
    "briefly": 2.0,
    "small_talk": 1.5,
    "misdeed": 1.5,
    "plain_dialogue": 0.6,
    "story": 0.25,
    "manual": 0.25,
    "ledger": 0.25,
    "copies": 0.6,
}
_BROAD = {
    "quiz": 6.0,
    "text_and_questions": 3.0,
    "text_and_question": 1.5,
    "recall": 1.0,
    "tool_drill": 2.0,
    "tool_errand": 3.0,
    "tool_call": 1.2,
    "tool_calls": 3.0,
    "tool_session": 0.9,
    "tool_unneeded": 2.0,
    "tool_result": 2.5,
    "record": 2.0,
    "noted_record": 3.0,
    "condensing": 3.0,
    "dividing": 3.0,
    "refining": 3.0,
    "gleaning": 3.0,
    "choosing": 3.0,
    "judging": 3.0,
    "reasoning": 2.0,
    "statements": 1.1,
    "profile": 1.2,
    "almanac": 1.2,
    "dialogue": 2.0,
    "follow_up": 4.0,
    "briefly": 4.0,
    "small_talk": 3.0,
    "misdeed": 3.0,
    "plain_dialogue": 1.0,
    "story": 0.3,
    "manual": 0.3,
    "ledger": 0.3,
    "copies": 0.5,
}
_LAST = _BROAD | {
    "quiz": 8.0,
    "text_and_questions": 4.0,
    "text_and_question": 2.0,
    "record": 4.0,
    "noted_record": 3.5,
    "tool_calls": 5.0,
    "statements": 0.8,
    "profile": 0.9,
    "almanac": 0.9,
}
_DENSE_OF_SMALL = _DENSE | {
    "statements": 0.3,
    "profile": 0.3,
    "almanac": 0.4,
    "dialogue": 2.0,
    "follow_up": 3.0,
    "briefly": 3.0,
    "misdeed": 3.0,
    "small_talk": 3.0,
}
_BROAD_OF_SMALL = _BROAD | {"statements": 0.4, "profile": 0.4, "almanac": 0.5}

PRETRAINING = {
    "reference": Recipe(
        shape=Shape(hidden_len=112, num_layers=4, mlp_len=304, num_heads=4, num_kv_heads=4),
        stages=(
            Stage((_LISTS, Phase(900, _USUAL_ROWS), Phase(60), Phase(300, _USUAL_ROWS))),
            Stage(
                (
                    Phase(800, (256, 512), factors=_MUCH_OF_SMALL),
                    Phase(300, _USUAL_ROWS, factors=_MORE_OF_SMALL),
                ),
                peak=0.6,
            ),
            Stage(
                (
                    Phase(2400, _MIDDLING_ROWS, 4096, _DENSE_OF_SMALL),
                    Phase(40, (4096,), 4096, _BROAD_OF_SMALL),
                    Phase(1560, _MIDDLING_ROWS, 4096, _BROAD_OF_SMALL),
                ),
                peak=0.5,
            ),
        ),
    ),
    "base": Recipe(
        shape=Shape(hidden_len=256, num_layers=5, mlp_len=704, num_heads=8, num_kv_heads=4),
        stages=(
            Stage((_LISTS, Phase(500, _USUAL_ROWS), Phase(40), Phase(300, _USUAL_ROWS))),
            Stage((_TABLES, Phase(200, _USUAL_ROWS)), peak=0.5),
            Stage((_SHORT_TEXTS,), peak=0.5),
            Stage((Phase(300, _USUAL_ROWS, factors=_ALL),), peak=0.6),
            Stage(
                (
                    Phase(700, (256, 512), factors=_MUCH),
                    Phase(1200, (256, 512, 512), factors=_MUCH),
                    Phase(400, _USUAL_ROWS, factors=_MORE),
                ),
                peak=0.6,
            ),
            Stage(
                (
                    Phase(1000, (256, 512, 512), factors=_ROUND),
                    Phase(500, _USUAL_ROWS, factors=_ROUNDED),
                ),
                peak=0.4,
            ),
            Stage(
                (
                    Phase(3400, _MIDDLING_ROWS, 4096, _DENSE),
                    Phase(40, (4096,), 4096, _BROAD),
                    Phase(3560, _MIDDLING_ROWS, 4096, _BROAD),
                ),
                peak=0.45,
            ),
            Stage((Phase(2800, _MIDDLING_ROWS, 4096, _LAST),), peak=0.25),
        ),
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
