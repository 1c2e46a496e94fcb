"""Whatever cannot be obeyed is refused in one line: what, got, limit, remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import (
    ContextOverflow,
    EFTError,
    Engine,
    InvalidRequest,
    LoadError,
    MemberConfig,
    Mixture,
    PerRow,
    Plausibility,
    Sampling,
    UnknownOption,
    VocabularyMismatch,
)
from eft_integrations.options import GENERATE_KEYS, GenerateOptions
from tests.conftest import llama, open_trio, save_trio

NAN, INF = float("nan"), float("inf")
OUT_OF_RANGE: list[dict[str, Any]] = [
    {"alpha": value} for value in (NAN, INF, -INF, True, "1", [1.0], {"tuned": NAN}, {"tuned": "x"})
]
OUT_OF_RANGE += [{"beta": value} for value in (NAN, True, "1")]
OUT_OF_RANGE += [{"weights": value} for value in ({}, {"base": INF}, [1.0], {1: 1.0})]
OUT_OF_RANGE += [{"filter_top_p": value} for value in (0, -0.1, 1.1, True, NAN, "x")]
OUT_OF_RANGE += [{"filter_top_p": 0.9, "weights": {"base": 1.0}}, {"mask": 0.1}]
OUT_OF_RANGE += [{"alpha": 1.0, "beta": 1.0}, {"alpha": 1.0, "weights": {"base": 1.0}}]
OUT_OF_RANGE += [{"mixture": Mixture(alpha=1.0), "alpha": 1.0}, {"mixture": {"alpha": 1.0}}]
OUT_OF_RANGE += [{"sampling": Sampling(), "top_k": 1}, {"sampling": 3}]
OUT_OF_RANGE += [{"temperature": value} for value in (-0.1, NAN, INF, True, "hot", None)]
OUT_OF_RANGE += [{"top_k": value} for value in (0, -1, 1.5, True)]
OUT_OF_RANGE += [{"top_p": value} for value in (0, 1.5, NAN)]
OUT_OF_RANGE += [{"min_p": value} for value in (-0.1, 1.5)]
OUT_OF_RANGE += [{"repetition_penalty": value} for value in (0, -1, NAN)]
OUT_OF_RANGE += [{"presence_penalty": value} for value in (-2.1, 2.1)]
OUT_OF_RANGE += [{"frequency_penalty": value} for value in (-2.1, 2.1)]
OUT_OF_RANGE += [
    {"logit_bias": value} for value in ([1], {"a": 1.0}, {-1: 1.0}, {1: INF}, {10**6: 1.0})
]
OUT_OF_RANGE += [{"seed": value} for value in (-1, 1.5, 2**63, True)]
OUT_OF_RANGE += [{"n": value} for value in (0, -1, 1.5)]
OUT_OF_RANGE += [{"logprobs": 1}, {"contributions": "yes"}, {"top_logprobs": -1}]
OUT_OF_RANGE += [{"top_logprobs": 10**6}, {"stop": ""}, {"stop": ["a", 1]}, {"stop": 5}]
OUT_OF_RANGE += [{"stop_token_ids": [-1]}, {"stop_token_ids": "a"}, {"stop_token_ids": [10**6]}]
OUT_OF_RANGE += [{"max_tokens": value} for value in (0, -1, 1.5, True)]
OUT_OF_RANGE += [{"timeout": value} for value in (0, -1, NAN)]
OUT_OF_RANGE += [{"alpha": PerRow([1.0])}]


def refused(error: type[EFTError], call: Callable[[], object]) -> str:
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("options", OUT_OF_RANGE, ids=str)
def test_a_value_out_of_range_is_refused(engine: Engine, options: dict[str, Any]) -> None:
    refused(InvalidRequest, lambda: engine.generate("Hello", **options))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("temprature", "temperature"),
        ("alfa", "alpha"),
        ("max_token", "max_tokens"),
        ("json_shema", "json_schema"),
        ("stops", "stop"),
    ],
)
def test_an_unknown_option_is_refused_with_a_suggestion(
    engine: Engine, typed: str, meant: str
) -> None:
    options: Any = {typed: 1}
    for call in (engine.generate, engine.stream):
        assert f"did you mean {meant!r}?" in refused(
            UnknownOption, partial(call, "Hello", **options)
        )


def test_score_takes_mixture_options_only(engine: Engine) -> None:
    options: Any = {"temperature": 1.0}
    refused(UnknownOption, lambda: engine.score("Hello", " x", **options))


def test_set_refuses_what_generate_refuses_and_the_stream_goes_on(engine: Engine) -> None:
    with engine.stream("Hello", max_tokens=20, alpha=0.5) as stream:
        next(stream)
        refused(InvalidRequest, lambda: stream.set(alpha=NAN))
        refused(UnknownOption, lambda: stream.set(alhpa=1.0))
        refused(UnknownOption, lambda: stream.set(alpha={"nobody": 1.0}))
        assert {event.mixture for event in stream} == {Mixture(alpha=0.5)}


PROMPTS: list[Any] = ["", [], [[]], [""], ["a", [1]], {}, {"base": [1]}, [-1], [True], [1.5], None]
PROMPTS += [5, b"x", [10**6], {"base": [1], "tuned": [1], "reference": []}, [[1], {"base": [1]}]]


@pytest.mark.parametrize("prompt", PROMPTS, ids=str)
def test_a_bad_prompt_is_refused(engine: Engine, prompt: Any) -> None:
    refused(InvalidRequest, lambda: engine.generate(prompt))


def test_a_prompt_for_an_unknown_role_is_refused(engine: Engine) -> None:
    prompt = {"base": [1], "tuned": [1], "referense": [1]}
    assert "did you mean 'reference'" in refused(UnknownOption, lambda: engine.generate(prompt))


def test_a_token_id_out_of_range_is_named_with_the_range(engine: Engine) -> None:
    said = refused(InvalidRequest, lambda: engine.generate([5, engine.vocab_size]))
    assert f"token id {engine.vocab_size}" in said
    assert f"0 to {engine.vocab_size - 1}" in said


def test_a_prompt_over_the_shortest_context_is_refused_with_the_numbers(engine: Engine) -> None:
    said = refused(ContextOverflow, lambda: engine.generate([5] * 500, max_tokens=20))
    assert "520 tokens (prompt 500 + max_tokens 20)" in said
    assert "holds 512" in said
    assert "by 8" in said


def test_a_list_in_a_batch_needs_one_value_a_prompt(engine: Engine) -> None:
    said = refused(InvalidRequest, lambda: engine.generate(["a", "b"], alpha=PerRow([1.0])))
    assert "1 values for 2 prompts" in said
    refused(InvalidRequest, lambda: engine.score(["a", "b"], ["c"]))
    refused(InvalidRequest, lambda: engine.score(["a", "b"], "c"))


def test_a_stream_takes_one_prompt_and_one_choice(engine: Engine) -> None:
    batch: Any = ["a", "b"]
    refused(InvalidRequest, lambda: engine.stream(batch))
    refused(InvalidRequest, lambda: engine.stream("a", n=2))


def test_a_plausibility_needs_exactly_one_threshold() -> None:
    bad: list[dict[str, Any]] = [{}, {"min_ratio": 0.1, "top_p": 0.9}, {"top_p": 0.0}]
    for options in bad:
        refused(InvalidRequest, partial(Plausibility, **options))


def test_every_documented_option_is_known_and_every_known_one_is_typed() -> None:
    named = {spec.name for kind in (Mixture, Sampling) for spec in fields(kind)}
    others = {"mixture", "sampling", "json_schema", "regex", "choice", "grammar", "contributions"}
    assert named | others | {"close_within_budget"} == GENERATE_KEYS
    assert GenerateOptions.__optional_keys__ == GENERATE_KEYS


# Loading.


def opening(**members: Any) -> Callable[[], Engine]:
    return lambda: Engine.from_pretrained(**members)


def test_an_unknown_setting_is_refused_with_a_suggestion(trio: Path) -> None:
    said = refused(UnknownOption, opening(base=trio / "base", dtpye="float32"))
    assert "did you mean 'dtype'?" in said
    said = refused(UnknownOption, opening(base={"path": trio / "base", "devise": "cpu"}))
    assert "did you mean 'device'?" in said


@pytest.mark.parametrize(
    "settings",
    [
        {"dtype": "int3"},
        {"max_slots": 0},
        {"max_queue": -1},
        {"max_context": 0},
        {"kv_memory": 0},
        {"kv_memory": 10},
        {"prefill_chunk": 0},
        {"mixture": 1.0},
    ],
    ids=str,
)
def test_a_setting_out_of_range_is_refused(trio: Path, settings: dict[str, Any]) -> None:
    refused(InvalidRequest, lambda: open_trio(trio, **settings))


def test_a_device_that_is_not_there_is_refused(trio: Path) -> None:
    for device in ("cuda", "nonsense"):
        said = refused(InvalidRequest, partial(open_trio, trio, device=device))
        assert f"device {device!r} is not there" in said


def test_placement_that_would_be_ignored_is_refused() -> None:
    refused(InvalidRequest, lambda: MemberConfig(path="x", max_memory={"cpu": "1GB"}))
    refused(InvalidRequest, lambda: MemberConfig(path="x", device="cpu", device_map="auto"))


def test_a_secret_is_not_shown() -> None:
    assert "hf_secret" not in repr(MemberConfig(path="x", token="hf_secret"))


def test_a_missing_folder_a_file_and_an_empty_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    said = [
        refused(LoadError, opening(base=tmp_path / name, mixture=Mixture(alpha=0.0)))
        for name in ("missing", "file", "empty")
    ]
    assert "there is no folder" in said[0]
    assert "is a file" in said[1]
    assert "no config.json" in said[2]


def damaged(trio: Path, tmp_path: Path, name: str, content: bytes | None) -> Path:
    folder = tmp_path / "damaged"
    shutil.copytree(trio / "base", folder)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"not a safetensors file"),
        ("model.safetensors", b""),
        ("model.safetensors", None),
        ("config.json", b"{}"),
        ("config.json", b"not json"),
        ("tokenizer.json", b"{}"),
    ],
)
def test_a_damaged_member_is_refused(
    trio: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = damaged(trio, tmp_path, name, content)
    said = refused(LoadError, lambda: open_trio(trio, base=folder))
    assert said.startswith("cannot load base")


def test_a_checkpoint_that_lacks_weights_is_refused(trio: Path, tmp_path: Path) -> None:
    config = json.loads((trio / "base" / "config.json").read_text())
    config["num_hidden_layers"] = 3
    folder = damaged(trio, tmp_path, "config.json", json.dumps(config).encode())
    assert "lacks" in refused(LoadError, lambda: open_trio(trio, base=folder))


def test_pickled_weights_are_not_read_unless_asked_for(
    trio: Path, tmp_path: Path, models: dict[str, Any]
) -> None:
    import torch

    folder = damaged(trio, tmp_path, "model.safetensors", None)
    torch.save(models["base"].state_dict(), folder / "pytorch_model.bin")
    refused(LoadError, lambda: open_trio(trio, base=folder))


def test_a_recurrent_cache_is_refused_with_the_reason(tmp_path: Path, tokenizer: Any) -> None:
    from transformers import MambaConfig

    config = MambaConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1)
    save_trio(tmp_path, tokenizer, {"base": config})
    said = refused(LoadError, opening(base=tmp_path / "base", mixture=Mixture(alpha=0.0)))
    assert "'mamba' model, whose cache is not plain keys and values" in said


def test_mismatched_vocabularies_are_refused(trio: Path, tmp_path: Path) -> None:
    text = (trio / "base" / "tokenizer.json").read_text()
    swapped = json.loads(text)
    vocabulary = swapped["model"]["vocab"]
    first, second = "A", "B"
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    folder = damaged(trio, tmp_path, "tokenizer.json", json.dumps(swapped).encode())
    said = refused(VocabularyMismatch, lambda: open_trio(trio, base=folder))
    assert "'B' / 'A'" in said or "'A' / 'B'" in said


def test_a_wider_head_is_cut_to_the_shared_ids(
    trio: Path, tmp_path: Path, tokenizer: Any, engine: Engine
) -> None:
    save_trio(tmp_path, tokenizer, {"base": llama(tokenizer, vocab_size=len(tokenizer) + 64)})
    with open_trio(trio, base=tmp_path / "base") as padded:
        assert padded.vocab_size == engine.vocab_size
        g = padded.generate("Hello", max_tokens=20, temperature=2.0, seed=1)
        assert max(g.token_ids) < engine.vocab_size


def test_base_alone_serves_what_names_no_other_member(trio: Path) -> None:
    refused(InvalidRequest, opening(base=trio / "base"))
    with Engine.from_pretrained(
        base=trio / "base", dtype="float32", mixture=Mixture(weights={"base": 1.0})
    ) as alone:
        assert alone.generate("Hello", max_tokens=2).usage.completion_tokens == 2
        assert alone.generate("Hello", alpha=0.0, max_tokens=2).finish_reason == "length"
        said = refused(InvalidRequest, lambda: alone.generate("Hello", alpha=1.0))
        assert "has only base" in said


def test_references_must_be_one_for_all_or_one_for_each(trio: Path) -> None:
    tuned = {"helpful": trio / "tuned", "harmless": trio / "tuned"}
    refused(
        UnknownOption,
        opening(base=trio / "base", tuned=tuned, reference={"helpful": trio / "reference"}),
    )
    refused(InvalidRequest, opening(base=trio / "base", tuned={"base": trio / "tuned"}))
    refused(InvalidRequest, opening(base=trio / "base", tuned={}))


def test_a_typo_in_an_object_is_refused_with_a_suggestion() -> None:
    typos: list[tuple[Any, dict[str, Any], str]] = [
        (Sampling, {"max_token": 3}, "max_tokens"),
        (Mixture, {"alhpa": 1.0}, "alpha"),
        (Plausibility, {"min_ration": 0.1}, "min_ratio"),
        (MemberConfig, {"path": "x", "dytpe": "float32"}, "dtype"),
    ]
    for kind, options, meant in typos:
        assert f"did you mean {meant!r}?" in refused(UnknownOption, partial(kind, **options))


def test_first_words_may_be_positional() -> None:
    assert Plausibility("tuned", top_p=0.9).role == "tuned"
    assert MemberConfig("x").path == "x"


def test_an_empty_alpha_is_the_base_model(engine: Engine) -> None:
    empty = engine.generate("Hello", alpha={}, max_tokens=6)
    assert empty.token_ids == engine.generate("Hello", alpha=0.0, max_tokens=6).token_ids


def test_set_without_a_mixture_is_refused(engine: Engine) -> None:
    with engine.stream("Hello", max_tokens=4, alpha=3.0) as stream:
        refused(InvalidRequest, stream.set)
        assert {event.mixture for event in stream} == {Mixture(alpha=3.0)}


def test_a_missing_base_a_long_context_and_a_useless_revision_are_refused(trio: Path) -> None:
    refused(InvalidRequest, opening(tuned=trio / "tuned", reference=trio / "reference"))
    refused(InvalidRequest, lambda: open_trio(trio, max_context=10**6))
    refused(InvalidRequest, lambda: MemberConfig(trio / "base", revision="main"))


def test_a_relative_path_beside_us_is_no_hub_id(
    trio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trio.parent)
    said = refused(LoadError, opening(base=f"{trio.name}/nope", mixture=Mixture(alpha=0.0)))
    assert "there is no folder" in said
