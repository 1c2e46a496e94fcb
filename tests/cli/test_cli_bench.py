"""``eft bench``: figures with their limits."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Eft


@pytest.mark.slow
def test_the_figures_of_langchain_are_shown_with_their_limits(eft: Eft) -> None:
    result = eft("bench", "langchain", "--rounds", 1, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.stderr
    assert "ChatEFT.stream beside Engine.stream" in result.stdout
    assert "50 ms" in result.stdout


@pytest.mark.slow
def test_the_figures_of_memory_are_shown_with_their_limits(eft: Eft) -> None:
    result = eft("bench", "memory", env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.stderr
    assert "peak memory above imports" in result.stdout
    assert "growth over 2000 requests" in result.stdout
    assert "8 MB" in result.stdout


def test_every_way_to_write_is_timed_and_the_report_is_written(eft: Eft, tmp_path: Path) -> None:
    short = ("--rounds", 2, "--tokens", 4, "--prompt", 8, "--rows", 1, "--rows", 2)
    result = eft("bench", *short, "--output", tmp_path, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.stderr
    told = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    names = [(one["name"], one["num_rows"]) for one in told["tokens_per_second"]]
    assert ("naive loop, one by one", 1) in names
    assert ("base alone, assisted", 1) in names
    assert ("engine, mixed alphas", 2) in names
    assert all(len(one["rates"]) == 2 for one in told["tokens_per_second"])
    assert set(told["agreed"].values()) == {1.0}
    report = (tmp_path / "bench.md").read_text("utf-8")
    assert all(f"| {name} | {num_rows} |" in report for name, num_rows in names)
    assert "static batch" in result.stdout
    assert "static batch" in (tmp_path / "bench.svg").read_text("utf-8")
    economy = told["economy"]
    assert economy["turns"]["prompt_len"] == 1000
    assert max(economy["turns"]["second"]) < min(economy["turns"]["cold"])
    assert 0.5 < economy["kept"]["by_coupling"] < economy["kept"]["by_rejection"] < 1
    assert [one["draft_len"] for one in economy["drafts"]] == [1, 2, 4, 8]
    assert "The second turn after 1000 tokens" in report
    assert "The second turn after 1000 tokens" in result.stdout.replace("\n", " ")


def test_a_synthetic_trio_is_not_also_given(eft: Eft) -> None:
    result = eft("bench", "--synthetic", 0.9, "--base", "somewhere")
    assert result.exit_code != 0
    assert "leave --base" in result.stderr


def test_a_synthetic_trio_has_a_dtype_that_there_is(eft: Eft) -> None:
    result = eft("bench", "--synthetic", 0.9, "--dtype", "float8")
    assert result.exit_code != 0
    assert "one of float32, bfloat16, float16" in result.stderr


def test_options_of_speed_are_refused_for_langchain(eft: Eft) -> None:
    result = eft("bench", "langchain", "--tokens", 4)
    assert result.exit_code != 0
    assert (
        "takes --rounds, --synthetic, --base, --tuned, --reference, --dtype only; leave --tokens"
        in result.stderr
    )
    result = eft("bench", "memory", "--rows", 4)
    assert result.exit_code != 0
    assert "leave --rows out" in result.stderr


def test_one_member_of_each_role_is_needed(eft: Eft) -> None:
    result = eft("bench", "--base", "a", "--tuned", "x=b", "--tuned", "y=c", "--reference", "d")
    assert result.exit_code != 0
    assert "one of each" in result.stderr
