"""``eft check``: findings with remedies, exit status 1 for a problem."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Eft
from tests.conftest import llama, save_trio


def flat(text: str) -> str:
    """Without the breaks of lines."""
    return " ".join(text.split())


def test_a_sound_trio_is_measured_and_exits_0(eft: Eft, family: list[str]) -> None:
    result = eft("check", *family)
    assert result.exit_code == 0
    told = flat(result.stdout)
    assert "tokens mean the same in all members" in told
    assert "tokens/s expected" in told
    assert told.count(" ms") == 6


def test_without_loading_nothing_is_measured(eft: Eft, family: list[str]) -> None:
    result = eft("check", *family, "--no-load")
    assert result.exit_code == 0
    assert "tokens/s" not in result.stdout
    assert not result.stderr


def test_a_mismatch_is_a_problem_told_without_loading(
    eft: Eft, family: list[str], trio: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(trio / "base", tmp_path / "other")
    file = other / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    vocab = content["model"]["vocab"]
    first, second = list(vocab)[-2:]
    vocab[first], vocab[second] = vocab[second], vocab[first]
    file.write_text(json.dumps(content), encoding="utf-8")
    result = eft("check", *family, "--base", other)
    assert result.exit_code == 1
    assert "problem tokenizers members 'base' and 'tuned' differ in 2 token(s)" in flat(
        result.stdout
    )
    assert "→ use models of one family" in flat(result.stdout)
    assert "loading" not in result.stderr


def test_a_damaged_checkpoint_is_a_problem_of_its_member(
    eft: Eft, family: list[str], trio: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(trio / "base", tmp_path / "other")
    (other / "model.safetensors").write_bytes(b"\0" * 100)
    result = eft("check", *family, "--base", other)
    assert result.exit_code == 1
    assert "problem base cannot load base" in flat(result.stdout)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--base", "/no/such/folder"], "there is no folder"),
        (["--dtype", "float8"], "dtype must be"),
        (["--device", "gpu"], "device 'gpu' is not there"),
    ],
)
def test_what_cannot_be_examined_is_one_line_and_exit_2(
    eft: Eft, family: list[str], typed: list[str], told: str
) -> None:
    result = eft("check", *family, *typed)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_two_models_with_the_same_weights_are_a_warning(eft: Eft, trio: Path) -> None:
    members = ["--base", trio / "base", "--tuned", trio / "tuned", "--reference", trio / "tuned"]
    result = eft("check", *members)
    assert result.exit_code == 0
    assert "tuned and reference have the same weights" in flat(result.stdout)


def test_what_a_person_should_know_is_said_with_a_remedy(
    eft: Eft, tokenizer: Any, tmp_path: Path
) -> None:
    configs = {
        "base": llama(tokenizer, vocab_size=2100, max_position_embeddings=1024),
        "tuned": llama(tokenizer),
        "reference": llama(tokenizer, num_hidden_layers=3),
    }
    save_trio(tmp_path, tokenizer, configs)
    members = [w for role in configs for w in (f"--{role}", tmp_path / role)]
    told = flat(eft("check", "--no-load", *members).stdout)
    assert "note heads head of base cut from 2100 to 2048" in told
    assert "warning members tuned and reference differ in shape" in told
    assert "note context tuned limits prompt and answer to 512 tokens" in told
    assert "warning ends the template of tuned closes a turn with '<|im_end|>'" in told
    assert told.count("→") >= 4


def test_a_trio_without_template_and_end_is_warned_of(
    eft: Eft, tokenizer: Any, tmp_path: Path
) -> None:
    bare = type(tokenizer).from_pretrained(tokenizer.name_or_path, eos_token=None)
    bare.chat_template = None
    roles = ("base", "tuned", "reference")
    save_trio(tmp_path, bare, {role: llama(tokenizer) for role in roles})
    told = flat(
        eft("check", "--no-load", *[w for r in roles for w in (f"--{r}", tmp_path / r)]).stdout
    )
    assert "warning templates tuned has no chat template" in told
    assert "warning ends no member has an end token" in told
