"""Loading and placing: shared weights, several tuned members, contexts, sizes swapped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import Engine, InvalidRequest, MemberConfig, Mixture
from tests import reference
from tests.conftest import llama, open_trio, save_trio


def test_a_model_given_twice_is_loaded_once(trio: Path) -> None:
    with open_trio(trio, base=trio / "reference") as engine:
        runners = engine._assembly.core.passes.runners
        models = {role: id(runner.member.model) for role, runner in runners.items()}  # type: ignore[attr-defined] # not in the protocol
        assert models["base"] == models["reference"] != models["tuned"]
        left = engine.generate("Hello", alpha=1.0, max_tokens=8)
        right = engine.generate("Hello", weights={"tuned": 1.0}, max_tokens=8)
        assert left.token_ids == right.token_ids


def test_other_settings_make_another_member(trio: Path) -> None:
    half = MemberConfig(path=trio / "reference", dtype="bfloat16")
    with open_trio(trio, base=half) as engine:
        runners = engine._assembly.core.passes.runners
        dtypes = {role: str(runner.member.dtype) for role, runner in runners.items()}  # type: ignore[attr-defined] # not in the protocol
    assert dtypes == dict.fromkeys(("tuned", "reference"), "torch.float32") | {
        "base": "torch.bfloat16"
    }


def test_several_tuned_members_take_named_alphas(trio: Path, models: dict[str, Any]) -> None:
    tuned = {"helpful": trio / "tuned", "harmless": trio / "base"}
    with Engine.from_pretrained(
        base=trio / "base", tuned=tuned, reference=trio / "reference", dtype="float32"
    ) as engine:
        assert engine.mixture == Mixture(alpha={"helpful": 0.5, "harmless": 0.5})
        g = engine.generate("Hello", alpha={"helpful": 0.7, "harmless": 0.4}, max_tokens=12)
    loop_models = {**models, "helpful": models["tuned"], "harmless": models["base"]}
    del loop_models["tuned"]
    ids = engine.encoder.encode("Hello", special=True)
    slow = reference.generate(
        loop_models,
        dict.fromkeys(loop_models, ids),
        {"base": 1.0, "helpful": 0.7, "harmless": 0.4, "reference": -1.1},
        max_tokens=12,
        size=engine.vocab_size,
    )
    assert list(g.token_ids) == slow.token_ids


def test_each_tuned_member_may_have_its_own_reference(trio: Path) -> None:
    with Engine.from_pretrained(
        base=trio / "base",
        tuned={"a": trio / "tuned", "b": trio / "base"},
        reference={"a": trio / "reference", "b": trio / "base"},
        dtype="float32",
    ) as engine:
        assert engine.roles.available == ("base", "a", "b", "reference:a", "reference:b")
        with_both = engine.generate("Hello", alpha={"a": 1.0, "b": 3.0}, max_tokens=8)
        without_b = engine.generate("Hello", alpha={"a": 1.0}, max_tokens=8)
        assert with_both.token_ids == without_b.token_ids  # b equals its reference


def test_max_context_shortens_the_members_own(trio: Path) -> None:
    with open_trio(trio, max_context=64) as engine:
        assert engine.context_len == 64
        assert engine.generate("Hello", max_tokens=None).usage.total_tokens == 64


def test_the_engines_mixture_is_the_default_of_requests(trio: Path, engine: Engine) -> None:
    with open_trio(trio, mixture=Mixture(alpha=0.3, filter_top_p=0.9)) as other:
        default = other.generate("Hello", max_tokens=10)
        named = engine.generate("Hello", alpha=0.3, filter_top_p=0.9, max_tokens=10)
        assert default.token_ids == named.token_ids
        form = other.generate("Hello", filter_top_p=0.5, max_tokens=10)
        assert (
            form.token_ids
            == engine.generate("Hello", alpha=0.3, filter_top_p=0.5, max_tokens=10).token_ids
        )


def test_a_small_kv_budget_makes_requests_wait_and_nothing_else(trio: Path, engine: Engine) -> None:
    prompts = [f"Hello {i}" for i in range(6)]
    with open_trio(trio, kv_memory=300_000) as small:
        cramped = small.generate(prompts, max_tokens=20)
        assert small.stats().kv_bytes <= 300_000
    assert [g.token_ids for g in cramped] == [
        g.token_ids for g in engine.generate(prompts, max_tokens=20)
    ]


def test_a_wrong_attention_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="one of sdpa, eager"):
        MemberConfig(path="x", attn_implementation="flash_attention_2")


def test_eager_attention_gives_the_same_text(trio: Path, engine: Engine) -> None:
    eager = {
        role: MemberConfig(path=trio / role, attn_implementation="eager")
        for role in ("base", "tuned", "reference")
    }
    with open_trio(trio, **eager) as other:
        rows = other.generate(["Hello", "A longer prompt " * 5], max_tokens=16)
    expected = engine.generate(["Hello", "A longer prompt " * 5], max_tokens=16)
    assert [g.token_ids for g in rows] == [g.token_ids for g in expected]


def test_down_scaling_is_the_same_call_with_the_sizes_swapped(
    trio: Path, tmp_path: Path, tokenizer: Any
) -> None:
    large = {"hidden_size": 96, "num_hidden_layers": 3}
    configs = {"tuned": llama(tokenizer, **large), "reference": llama(tokenizer, **large)}
    models = save_trio(tmp_path, tokenizer, {"base": llama(tokenizer), **configs})
    with open_trio(tmp_path) as engine:
        g = engine.generate("Hello", alpha=0.8, max_tokens=12)
    ids = engine.encoder.encode("Hello", special=True)
    slow = reference.generate(
        models,
        dict.fromkeys(models, ids),
        reference.up_scaling(0.8),
        max_tokens=12,
        size=engine.vocab_size,
    )
    assert list(g.token_ids) == slow.token_ids


def test_placement_by_a_device_map_gives_the_same_text(trio: Path, engine: Engine) -> None:
    mapped = MemberConfig(path=trio / "base", device_map="auto", max_memory={"cpu": "1GB"})
    with open_trio(trio, base=mapped) as other:
        assert (
            other.generate("Hello", max_tokens=8).token_ids
            == engine.generate("Hello", max_tokens=8).token_ids
        )


def test_a_member_whose_embeddings_are_offloaded_gives_the_same_text(
    trio: Path, engine: Engine
) -> None:
    offloaded = MemberConfig(path=trio / "base", device_map={"model": "disk", "lm_head": "cpu"})
    with open_trio(trio, base=offloaded) as opened:
        wanted = engine.generate("The capital of France is", max_tokens=4).token_ids
        assert opened.generate("The capital of France is", max_tokens=4).token_ids == wanted


def test_a_home_folder_is_found(trio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(trio))
    with open_trio(trio, base="~/base") as engine:
        assert engine.generate("Hello", max_tokens=1).usage.completion_tokens == 1


def test_generation_config_gives_end_tokens_and_nothing_else(
    trio: Path, tmp_path: Path, engine: Engine
) -> None:
    free = engine.generate("Hello", alpha=0.0, max_tokens=12)
    end = free.token_ids[4]
    folder = shutil.copytree(trio / "base", tmp_path / "base")
    settings = {"do_sample": True, "temperature": 5.0, "top_k": 3, "eos_token_id": [end]}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    with open_trio(trio, base=folder) as other:
        g = other.generate("Hello", alpha=0.0, max_tokens=12)
    assert g.token_ids == free.token_ids[: free.token_ids.index(end) + 1]
    assert g.finish_reason == "stop"


def test_what_is_cut_is_said_in_the_log(
    trio: Path, tmp_path: Path, tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    save_trio(tmp_path, tokenizer, {"base": llama(tokenizer, vocab_size=len(tokenizer) + 64)})
    with caplog.at_level("INFO", logger="eft_integrations"):
        open_trio(trio, base=tmp_path / "base").close()
    assert any("head of base cut" in record.message for record in caplog.records)
