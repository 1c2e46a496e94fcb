"""``eft report``: the stored table, one's own, and items answered anew."""

from pathlib import Path

from eft_integrations import tiny
from eft_integrations.evaluation import read_summary
from tests.cli.conftest import Eft

WIDE = {"COLUMNS": "200"}


def test_the_stored_report_is_shown_in_full(eft: Eft) -> None:
    result = eft("report", env=WIDE)
    assert result.exit_code == 0, result.stderr
    voices = read_summary(tiny.report_path()).num_by_voice
    for name in voices:
        assert f"| {name} " in result.stdout


def test_live_items_are_answered_now_and_marked(eft: Eft) -> None:
    result = eft("report", "--live", 5, env=WIDE)
    assert result.exit_code == 0, result.stderr
    rows = [line.split("|") for line in result.stdout.splitlines() if "up-scaled, alpha 1" in line]
    assert len(rows) == 1
    answers = result.stdout.partition("up-scaled, alpha 1")[2]
    named = ("chat", "fact", "json", "reading", "tool")
    kinds = [word for word in named if f"| {word} " in answers]
    assert len(kinds) == 5


def test_live_items_belong_to_the_embedded_family(eft: Eft, tmp_path: Path) -> None:
    result = eft("report", tmp_path, "--live", 2)
    assert result.exit_code == 2
    assert "leave out the folder" in result.stderr


def test_a_folder_without_a_report_is_told_with_a_remedy(eft: Eft, tmp_path: Path) -> None:
    result = eft("report", tmp_path)
    assert result.exit_code != 0
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "eft evaluate --output" in result.stderr
