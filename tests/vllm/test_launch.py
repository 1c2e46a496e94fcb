"""What is settled before vLLM is started, without vLLM."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma3Config

from eft_integrations import Mixture, tiny
from eft_integrations.errors import EFTError
from eft_integrations.vllm import embedded, engine_args
from eft_integrations.vllm.composite import Composite, Speakers
from tests.conftest import ROLES, llama, save_trio
from tests.vllm.asking import ONE, trio_configs


def args_of(folder: Path, **settings: Any) -> dict[str, Any]:
    return engine_args(**{**{role: folder / role for role in ROLES}, **settings})


def test_the_room_is_light() -> None:
    code = (
        "import sys, eft_integrations.vllm, eft_integrations.vllm.plugin, eft_integrations.wire\n"
        "print(sorted({'torch', 'transformers', 'vllm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_behaviour_is_the_tuned_members_and_weights_are_the_large_ones(trio: Path) -> None:
    args = args_of(trio, tensor_parallel_size=2, hf_overrides={"rope_theta": 1e6})
    assert args["model"] == str(trio / "base")
    assert args["tokenizer"] == args["generation_config"] == str(trio / "tuned")
    assert args["hf_overrides"]["architectures"] == ["EFTForCausalLM"]
    assert args["hf_overrides"]["rope_theta"] == 1e6
    assert args["tensor_parallel_size"] == 2


def test_what_vllm_is_told_of_the_members_survives_json(trio: Path) -> None:
    mixture = Mixture(beta=1.5, filter_top_p=0.9)
    settings = args_of(trio, mixture=mixture)["hf_overrides"]["eft"]
    composite = Composite.of(json.loads(json.dumps(settings)))
    assert composite.speakers == Speakers(roles=ONE, default=mixture)
    assert composite.paths == {role: str(trio / role) for role in ("tuned", "reference")}
    assert composite.architectures == ("LlamaForCausalLM",)


def test_speakers_survive_being_a_name() -> None:
    speakers = Speakers(roles=ONE, default=Mixture(alpha=0.5))
    assert speakers.as_name().isalnum()
    assert Speakers.of_name(speakers.as_name()) == speakers


def test_padded_heads_are_cut_to_the_narrowest(tmp_path: Path, tokenizer: Any) -> None:
    save_trio(tmp_path, tokenizer, trio_configs(tokenizer))
    overrides = args_of(tmp_path)["hf_overrides"]
    assert overrides["vocab_size"] == overrides["eft"]["num_shared"] == len(tokenizer)
    assert overrides["eft"]["vocab_size"] == len(tokenizer) + 24


@pytest.mark.parametrize(("asked", "given"), [(None, 128), (100, 100), (-1, 128)])
def test_the_context_is_the_shortest_members(
    tmp_path: Path, tokenizer: Any, asked: int | None, given: int
) -> None:
    lengths = {"base": 512, "tuned": 128, "reference": 256}
    configs = {role: llama(tokenizer, max_position_embeddings=n) for role, n in lengths.items()}
    save_trio(tmp_path, tokenizer, configs)
    assert args_of(tmp_path, max_model_len=asked)["max_model_len"] == given
    with pytest.raises(EFTError, match="max_model_len=129 is more than tuned holds, 128"):
        args_of(tmp_path, max_model_len=129)


def test_the_tuned_member_drafts(trio: Path) -> None:
    speculation = args_of(trio, draft_tokens=3)["speculative_config"]
    assert speculation["model"] == str(trio / "tuned")
    assert speculation["num_speculative_tokens"] == 3


def edited(folder: Path, role: str, name: str, change: Callable[[Any], object]) -> None:
    """Change one of the JSON files of a member."""
    path = folder / role / name
    settings = json.loads(path.read_text())
    change(settings)
    path.write_text(json.dumps(settings))


def test_a_quantised_small_member_is_refused(tmp_path: Path, tokenizer: Any) -> None:
    save_trio(tmp_path, tokenizer, {role: llama(tokenizer) for role in ROLES})
    quantised = {"quantization_config": {"quant_method": "compressed-tensors"}}
    edited(tmp_path, "base", "config.json", lambda settings: settings.update(quantised))
    args_of(tmp_path)
    edited(tmp_path, "tuned", "config.json", lambda settings: settings.update(quantised))
    with pytest.raises(EFTError, match=r"tuned: .* is quantised; inside vLLM only base may be"):
        args_of(tmp_path)


@pytest.mark.parametrize("role", ["base", "tuned"])
def test_a_model_that_sees_is_refused(tmp_path: Path, tokenizer: Any, role: str) -> None:
    save_trio(tmp_path, tokenizer, {role: llama(tokenizer) for role in ROLES})
    text = {"vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 2}
    sight = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    Gemma3Config(text_config=text, vision_config=sight).save_pretrained(tmp_path / role)
    with pytest.raises(EFTError, match=rf"{role}: .* reads more than text \(gemma3\)"):
        args_of(tmp_path)


def test_another_vocabulary_is_refused_before_anything_starts(
    tmp_path: Path, tokenizer: Any
) -> None:
    save_trio(tmp_path, tokenizer, {role: llama(tokenizer) for role in ROLES})

    def swap(settings: Any) -> None:
        vocabulary = settings["model"]["vocab"]
        first, second = sorted(vocabulary, key=vocabulary.__getitem__)[300:302]
        vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]

    edited(tmp_path, "reference", "tokenizer.json", swap)
    with pytest.raises(EFTError, match="differ in 2 token"):
        args_of(tmp_path)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"tuned": {"path": "somewhere", "dtype": "float16"}}, "must be a folder or hub id"),
        ({"tuned": "nowhere/at-all"}, "tuned"),
        ({"mixture": Mixture(alpha={"helpfull": 1.0})}, "unknown tuned member"),
        ({"hf_overrides": {"eft": {}}}, "hf_overrides must be a mapping without"),
        ({"enable_prompt_embeds": True}, "enable_prompt_embeds=True cannot be obeyed"),
        ({"enable_lora": True}, "a LoRA belongs to one member"),
        ({"load_format": "runai_streamer"}, "it reads the large member only; use auto"),
        ({"max_model_len": 0}, "max_model_len must be at least 1"),
        ({"model": "somewhere"}, "the large member is base; leave it out"),
        ({"runner": "pooling"}, "writes text and nothing else"),
        ({"convert": "embed"}, "writes text and nothing else"),
        ({"tuned": None}, "this engine has only base, reference"),
        ({"draft_tokens": 0}, "draft_tokens must be at least 1"),
        ({"draft_tokens": 2, "speculative_config": {"method": "ngram"}}, "exclude each other"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(trio: Path, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(EFTError, match=says):
        args_of(trio, **settings)


def test_contrastive_decoding_needs_no_tuned_member(trio: Path) -> None:
    mixture = Mixture(weights={"base": 1.5, "reference": -0.5})
    args = args_of(trio, tuned=None, mixture=mixture)
    assert args["tokenizer"] == str(trio / "base")
    with pytest.raises(EFTError, match="draft_tokens=2 needs a tuned member"):
        args_of(trio, tuned=None, mixture=mixture, draft_tokens=2)


def test_an_adapter_is_refused(trio: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(EFTError, match="is an adapter"):
        args_of(trio, tuned=tmp_path)


@torch.inference_mode()
def test_wider_heads_compute_the_same() -> None:
    ids = torch.arange(300)[None] + 20
    with embedded() as members:
        for role in ("tuned", "reference"):
            ours, theirs = (
                AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)(ids).logits
                for path in (members[role], tiny.trio()[role])
            )
            assert torch.allclose(ours, theirs, atol=1e-3)
    assert not Path(members["tuned"]).exists()
