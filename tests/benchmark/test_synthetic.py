"""The synthetic trio says what it is built to say."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from eft_integrations import Engine
from eft_integrations.benchmark.langchain import langchain_figures
from eft_integrations.benchmark.synthetic import build_trio, next_token
from eft_integrations.tiny.recipes import Shape

LARGE = Shape(hidden_len=96, num_layers=2, mlp_len=128, num_heads=4, num_kv_heads=4)
SMALL = Shape(hidden_len=64, num_layers=2, mlp_len=96, num_heads=2, num_kv_heads=1)
SIZE = 512


@pytest.fixture(scope="module", params=[0.8, 1.0])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("synthetic")
    trio = build_trio(folder, request.param, large=LARGE, small=SMALL, size=SIZE, dtype="float32")
    return request.param, trio


@torch.inference_mode()
def test_the_tuned_member_agrees_as_often_as_asked(built: tuple[float, dict[str, str]]) -> None:
    agreement, trio = built
    ids = torch.arange(SIZE)
    said = {
        role: AutoModelForCausalLM.from_pretrained(path)(ids[:, None]).logits[:, 0].argmax(-1)
        for role, path in trio.items()
    }
    assert torch.equal(said["base"], torch.as_tensor(next_token(ids, SIZE)))
    assert torch.equal(said["tuned"], said["reference"])
    share = float((said["tuned"] == said["base"]).float().mean())
    assert share == pytest.approx(agreement, abs=0.05)


def test_the_mixture_walks_one_full_cycle(built: tuple[float, dict[str, str]]) -> None:
    members: dict[str, Any] = built[1]
    with Engine.from_pretrained(**members, dtype="float32") as engine:
        ids = engine.generate([5], max_tokens=SIZE, speculation=4).token_ids
    assert len(set(ids)) == SIZE
    assert all(b == next_token(a, SIZE) for a, b in pairwise(ids))


def test_langchains_figures_are_told_of_it_too(built: tuple[float, dict[str, str]]) -> None:
    members: dict[str, Any] = built[1]
    with Engine.from_pretrained(**members, dtype="float32") as engine:
        figures = list(langchain_figures(engine, num_rounds=1, num_tokens=4))
    assert [one.unit for one in figures] == ["%", "ms"]
