"""A tuned member given as an adapter is the merged model, on the weights of its reference."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from eft_integrations import Engine, InvalidRequest, LoadError, Mixture
from eft_integrations.engine import EngineConfig
from eft_integrations.engine.adapters import with_adapter
from eft_integrations.engine.examine import examine_files
from eft_integrations.engine.forward import ModelRunner
from eft_integrations.engine.packing import PackedLinear, share_packed
from tests.engine.test_packing import needs_cpu

PROMPTS = ["The capital of France is", "Hello"]


@pytest.fixture(scope="module")
def folders(trio: Path, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Adapters on the reference, and the models that they make when merged."""
    # peft's own wrapper, which only training needs, touches what transformers deprecates.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return _written(trio, tokenizer, tmp_path_factory.mktemp("adapters"))


def _written(trio: Path, tokenizer: Any, out: Path) -> dict[str, str]:
    for name, has_dora in (("lora", False), ("dora", True)):
        torch.manual_seed(5)
        model = AutoModelForCausalLM.from_pretrained(trio / "reference", dtype=torch.float32)
        adapted: Any = get_peft_model(
            model, LoraConfig(r=4, target_modules=["q_proj", "down_proj"], use_dora=has_dora)
        )
        with torch.no_grad():
            for key, weight in adapted.named_parameters():
                if "lora_B" in key:
                    weight.normal_(std=0.3)
        adapted.save_pretrained(out / name)
        merged = adapted.merge_and_unload()
        merged.save_pretrained(out / f"{name}-merged")
        tokenizer.save_pretrained(out / f"{name}-merged")
    return {path.name: str(path) for path in out.iterdir()}


def open_with(trio: Path, tuned: str, **settings: Any) -> Engine:
    return Engine.from_pretrained(
        base=trio / "base",
        tuned=tuned,
        reference=trio / "reference",
        **{"dtype": "float32", **settings},
    )


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_an_adapter_says_what_the_merged_model_says(
    trio: Path, folders: dict[str, str], kind: str
) -> None:
    with open_with(trio, folders[kind]) as one, open_with(trio, folders[f"{kind}-merged"]) as other:
        for options in ({"alpha": 1.5}, {"weights": {"tuned": 1.0}}):
            ours, theirs = (
                e.generate(PROMPTS, max_tokens=12, speculation="off", **options)
                for e in (one, other)
            )
            assert [g.token_ids for g in ours] == [g.token_ids for g in theirs]
        plain = one.generate(PROMPTS, max_tokens=12, alpha=0.0)
        assert [g.token_ids for g in plain] != [g.token_ids for g in ours]


def members_of(engine: Engine) -> dict[str, Any]:
    runners = engine._assembly.core.passes.runners
    return {role: one.member for role, one in runners.items() if isinstance(one, ModelRunner)}


def test_the_weights_lie_in_memory_once(trio: Path, folders: dict[str, str]) -> None:
    with open_with(trio, folders["lora"]) as engine:
        members = members_of(engine)
        ours = {p.data_ptr() for p in members["tuned"].model.parameters()}
        theirs = {p.data_ptr() for p in members["reference"].model.parameters()}
        added = [p for p in members["tuned"].model.parameters() if p.data_ptr() not in theirs]
        assert theirs < ours
        assert len(added) == 2 * 2 * 2  # two matrices for each of two targets in two layers


@needs_cpu
@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_packed_weights_are_shared_as_well(trio: Path, folders: dict[str, str], kind: str) -> None:
    with open_with(trio, folders[kind], dtype="bfloat16") as engine:
        members = members_of(engine)
        packed = {
            role: {id(m) for m in members[role].model.modules() if isinstance(m, PackedLinear)}
            for role in ("tuned", "reference")
        }
        num_targets = 4
        if kind == "lora":
            assert packed["tuned"] == packed["reference"]
        else:  # it reads the plain weights of its targets
            assert packed["tuned"] < packed["reference"]
            assert len(packed["reference"] - packed["tuned"]) == num_targets
        told = engine.score(PROMPTS[0], "Paris and more", alpha=1.0)
    with open_with(trio, folders[f"{kind}-merged"]) as exact:
        slow = exact.score(PROMPTS[0], "Paris and more", alpha=1.0)
    assert told.logprobs == pytest.approx(slow.logprobs, abs=0.5)


class Bare(torch.nn.Module):
    """Like a packed matrix: the product without a plain weight."""

    def __init__(self, plain: torch.nn.Linear) -> None:
        super().__init__()
        self.hidden = (plain.weight.data, plain.bias)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(inputs, *self.hidden)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_packed_forms_take_the_place_of_the_shared_weights_alone(
    trio: Path, folders: dict[str, str], kind: str
) -> None:
    reference = AutoModelForCausalLM.from_pretrained(trio / "reference", dtype=torch.bfloat16)
    twin = with_adapter(reference, folders[kind])
    ids = torch.arange(12)[None]
    before = twin(ids).logits
    plain = {m for m in reference.modules() if type(m) is torch.nn.Linear}
    packed: Any = {id(m.weight): Bare(m) for m in plain}
    share_packed(twin, packed)
    num_placed = sum(isinstance(m, Bare) for m in twin.modules())
    assert num_placed == len(plain) - (4 if kind == "dora" else 0)
    assert torch.equal(twin(ids).logits, before)


def test_an_adapter_needs_the_model_that_it_was_trained_on(
    trio: Path, folders: dict[str, str]
) -> None:
    with pytest.raises(LoadError, match=r"base: .* is an adapter; it needs a reference"):
        Engine.from_pretrained(base=folders["lora"], mixture=Mixture(alpha=0.0))
    with pytest.raises(LoadError, match=r"tuned: .* is an adapter; it needs a reference"):
        Engine.from_pretrained(
            base=trio / "base", tuned=folders["lora"], mixture=Mixture(alpha=0.0)
        )
    with pytest.raises(LoadError, match="it needs a reference that is the model"):
        Engine.from_pretrained(base=trio / "base", tuned=folders["lora"], reference=folders["dora"])


def test_an_adapter_lies_where_its_reference_lies(trio: Path, folders: dict[str, str]) -> None:
    adapter: Any = {"path": folders["lora"], "dtype": "bfloat16"}
    with pytest.raises(
        InvalidRequest, match="shares its reference's weights, but dtype='bfloat16'"
    ):
        open_with(trio, adapter)


def test_a_foreign_adapter_is_refused(trio: Path, folders: dict[str, str], tmp_path: Path) -> None:
    """Its targets are of another shape."""
    from eft_integrations.tiny import member_path

    with pytest.raises(LoadError, match="cannot load tuned"):
        Engine.from_pretrained(
            base=member_path("base"),
            tuned=folders["lora"],
            reference=member_path("reference"),
            dtype="float32",
        )


def test_without_peft_the_remedy_is_named(
    trio: Path, folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(LoadError, match=r"eft-integrations\[peft\]"):
        open_with(trio, folders["lora"])


def test_check_knows_adapters(trio: Path, folders: dict[str, str]) -> None:
    config = EngineConfig.of(
        base=trio / "base", tuned=folders["lora"], reference=trio / "reference", dtype="float32"
    )
    found = examine_files(config)
    assert not [one for one in found.findings if one.level == "problem"]
    assert set(found.figures) == {"base", "tuned", "reference"}
