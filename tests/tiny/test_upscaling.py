"""The family shows what the paper shows, through the engine; and what equal means in bfloat16."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from eft_integrations import Engine
from eft_integrations.chat import render
from eft_integrations.tiny import heldout_questions, trio
from eft_integrations.tiny.facts import contains
from eft_integrations.tiny.wording import format_is_right
from tests import reference


@pytest.fixture(scope="module")
def family() -> Iterator[Engine]:
    with Engine.tiny() as engine:
        yield engine


def shares(engine: Engine, **mixture: Any) -> tuple[float, float]:
    """(right facts, right formats) on facts that fine-tuning never saw."""
    asked = heldout_questions()
    prompts = [render(engine, [{"role": "user", "content": q.question}]) for q in asked]
    answers = engine.generate(prompts, max_tokens=64, **mixture)
    facts = sum(contains(a.text, q.answer) for a, q in zip(answers, asked, strict=True))
    return facts / len(asked), sum(format_is_right(a.text) for a in answers) / len(asked)


def test_using_the_family_is_called_a_demonstration(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="eft_integrations"):
        Engine.tiny().close()
    told = [record for record in caplog.records if "demonstration" in record.message]
    assert len(told) == 1


@pytest.mark.slow
def test_up_scaling_brings_knowledge_and_keeps_manners(family: Engine) -> None:
    tuned_facts, tuned_format = shares(family, weights={"tuned": 1.0})
    up_facts, up_format = shares(family, alpha=1.0)
    assert tuned_format >= 0.9
    assert up_format >= 0.9
    assert up_facts >= tuned_facts + 0.15


@pytest.mark.slow
def test_the_base_model_knows_but_has_no_manners(family: Engine) -> None:
    facts, form = shares(family, alpha=0.0)
    assert form <= 0.1
    assert facts > shares(family, weights={"tuned": 1.0})[0]


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_bfloat16_differs_from_the_naive_loop_at_near_ties_only(alpha: float) -> None:
    """The first token that differs had two best candidates closer than 0.1."""
    models = {
        role: AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16).eval()
        for role, path in trio().items()
    }
    asked = heldout_questions()[:12]
    with Engine.tiny(dtype="bfloat16") as engine:
        prompts = [render(engine, [{"role": "user", "content": q.question}]) for q in asked]
        rows = engine.generate(prompts, alpha=alpha, max_tokens=24)
        for prompt, row in zip(prompts, rows, strict=True):
            slow = reference.generate(
                models,
                prompt,
                reference.up_scaling(alpha),
                max_tokens=24,
                size=engine.vocab_size,
                end_ids=sorted(engine._assembly.end_ids),
            )
            pairs = zip(row.token_ids, slow.token_ids, slow.gaps, strict=False)
            gap = next((gap for fast, naive, gap in pairs if fast != naive), 0.0)
            assert gap < 0.1
