"""``eft report``: the stored table, one's own, and items answered anew."""

from collections import Counter
from pathlib import Path

import pytest

from eft_integrations import tiny
from eft_integrations.cli.report import _first
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


@pytest.mark.parametrize("num", [1, 6, 11])
def test_live_items_are_of_all_kinds_in_turn(num: int) -> None:
    kinds = Counter(question.kind for question in _first(num))
    assert sum(kinds.values()) == num
    assert len(kinds) == min(num, 5)
    assert max(kinds.values()) - min(kinds.values()) <= 1


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
