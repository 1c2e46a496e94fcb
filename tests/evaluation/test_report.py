"""The page and the pictures: every number is there, nothing is invented, nothing breaks a table."""

import builtins
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import Engine
from eft_integrations.evaluation import Question, Summary, evaluate, publish, read_summary
from eft_integrations.evaluation.agreement import Traced, agreement
from eft_integrations.evaluation.plots import (
    draw,
    frontier_figure,
    gap_figure,
    gap_series,
    look_of,
    neighbours,
)
from eft_integrations.evaluation.record import Answer, Manifest
from eft_integrations.evaluation.report import Report, as_json, as_markdown, table
from eft_integrations.evaluation.statistics import Recovered
from eft_integrations.evaluation.summary import summarised
from eft_integrations.evaluation.voices import Lineup, Voice
from tests.evaluation.conftest import MakeRun
from tests.evaluation.made import ONE, TWO, answered, items, lineup, made

QUESTIONS = [*items("fact", 100, ("apart",)), *items("chat", 50), *items("harmful", 40)]
MANIFEST = Manifest(
    questions="0123",
    num_questions=190,
    members={"base": "org/large"},
    voices={"tuned": {"weights": {"tuned": 1}}},
    settings={"max_tokens": 48},
)


def known(voice: Voice, question: Question, position: float) -> Answer:
    share = {"tuned": 0.2, "helpful": 0.2, "harmless": 0.2, "ceiling": 0.8}.get(voice.label, 0.6)
    text = "Sorry." if position > (voice.value or 0.0) else "Sure."
    right = position < share
    # tuned and ceiling are equally well in form: no gap there
    is_alike = voice.label in ("tuned", "helpful", "ceiling")
    return made(voice.label, question, right=right, form=is_alike or position < 0.5, text=text)


def summed(line: Lineup) -> Summary:
    drafted = "alpha 1"
    one = {
        (drafted, q.id): Traced(
            voice=drafted, id=q.id, agrees=(True, False), is_fact=(False, q.kind == "fact")
        )
        for q in QUESTIONS
    }
    answers = answered(line.voices, QUESTIONS, known)
    agreed = agreement(line.tuned.label, drafted, QUESTIONS, one)
    return summarised(line, QUESTIONS, answers, agreed)


def page(line: Lineup) -> str:
    report = Report(summary=summed(line), manifest=MANIFEST, versions={"torch": "2"})
    return as_markdown(report)


@pytest.mark.parametrize("roles", [ONE, TWO])
def test_a_written_report_can_be_read_again(roles: Any, tmp_path: Path) -> None:
    summary = summed(lineup(roles, alphas=(1.0,)))
    report = Report(summary=summary, manifest=MANIFEST, versions={"torch": "2"})
    (tmp_path / "report.json").write_text(as_json(report), encoding="utf-8")
    assert read_summary(tmp_path) == summary


def test_the_page_tells_gaps_shares_frontier_agreement_slices_and_the_run() -> None:
    text = page(lineup(TWO, alphas=(1.0,)))
    assert "| alpha 1 | 0.67 [0.5" in text  # (0.6 − 0.2) / (0.8 − 0.2)
    assert "20.0 [13.3, 28.9]" in text  # Wilson, 20 of 100
    assert "the trade is monotone" in text
    assert "| tokens of the fact, of `fact` (n = 100) | 0.0 [0.0, 3.7] |" in text
    assert "| apart (n = 100) |" in text
    assert "| member base | org/large |" in text
    assert "| max_tokens | 48 |" in text
    assert "| torch | 2 |" in text


def test_where_there_is_no_gap_the_page_says_so_and_shows_no_number() -> None:
    text = page(lineup(ONE, alphas=(1.0,)))
    assert "- helpfulness, all: no clear gap: ceiling − tuned is +0.0 points" in text
    row = next(line for line in text.splitlines() if line.startswith("| alpha 1 | 0.67"))
    assert row.endswith("| – |")


def test_without_a_ceiling_the_page_names_the_option() -> None:
    text = page(lineup(ONE, alphas=(1.0,), has_ceiling=False))
    assert "No ceiling was given (`--ceiling`)" in text


def test_every_table_has_as_many_cells_as_its_heading() -> None:
    sizes: list[int] = []
    for line in page(lineup(TWO, alphas=(1.0,), filters=(0.9,))).splitlines():
        is_row = line.startswith("|")
        sizes = [*sizes, line.count("|")] if is_row else []
        assert len(set(sizes)) <= 1, line


def test_a_bar_in_a_name_does_not_break_a_table() -> None:
    assert table(["a"], [["x|y\nz"]]).splitlines()[-1] == "| x\\|y z |"


def test_the_json_holds_the_same_numbers_unrounded() -> None:
    summary = summed(lineup(ONE, alphas=(1.0,)))
    report = Report(summary=summary, manifest=MANIFEST, versions={})
    found = json.loads(as_json(report))
    gap = found["summary"]["axes"]["right"]["gaps"]["all"]["alpha 1"]
    assert gap["value"] == pytest.approx(2 / 3)
    assert found["manifest"]["questions"] == "0123"


def test_pictures_are_drawn_as_png_and_svg(tmp_path: Path) -> None:
    line = lineup(TWO, alphas=(0.5, 1.0), filters=(0.9,))
    assert draw(summed(line), line, tmp_path) == ["gap", "frontier", "agreement"]
    for name in ("gap", "frontier", "agreement"):
        data = (tmp_path / f"{name}.png").read_bytes()
        assert data.startswith(b"\x89PNG")
        assert min(struct.unpack(">II", data[16:24])) > 400  # pixels
        assert (tmp_path / f"{name}.svg").read_text().rstrip().endswith("</svg>")


def test_there_is_no_picture_of_what_was_not_measured(tmp_path: Path) -> None:
    line = lineup(ONE, alphas=(1.0,), has_ceiling=False)
    assert draw(summed(line), line, tmp_path) == ["agreement"]


def test_a_voice_without_a_number_is_noted_and_the_others_are_drawn() -> None:
    line = lineup(ONE, alphas=(0.5, 1.0))
    summary = summed(line)
    axis = summary.axes["right"]
    alike = Recovered(num=20, reason="no interval: 20 items came out alike; ask more")
    gaps = {**axis.gaps, "all": {**axis.gaps["all"], "alpha 1": alike}}
    lacking = replace(summary, axes={"right": replace(axis, gaps=gaps)})
    panel: Any = gap_figure(lacking, line).axes[0]
    assert "alpha 1: no interval" in " ".join(text.get_text() for text in panel.texts)
    assert [len(one.lines[0].get_xdata()) for one in panel.containers] == [2]
    report = Report(summary=lacking, manifest=MANIFEST, versions={})
    assert "- factuality, all (alpha 1): no interval: 20 items" in as_markdown(report)


def test_no_two_series_look_the_same() -> None:
    assert len({look_of(number) for number in range(20)}) == 20


def test_points_stay_nearer_to_their_coefficient_than_to_the_next() -> None:
    line = lineup(ONE, alphas=(0.8, 0.85), filters=(0.7, 0.8, 0.9))
    panel: Any = gap_figure(summed(line), line).axes[0]
    drawn = [list(one.lines[0].get_xdata()) for one in panel.containers]
    assert len(drawn) == 4
    for places in drawn:
        assert places == pytest.approx([0.0, 0.8, 0.85], abs=0.02)


def test_harmful_questions_alone_have_a_frontier_and_no_picture(tmp_path: Path) -> None:
    line, harmful = lineup(TWO, alphas=(1.0,)), [q for q in QUESTIONS if q.kind == "harmful"]
    summary = summarised(line, harmful, answered(line.voices, harmful, known), None)
    assert summary.frontier is not None
    assert {point.helps for point in summary.frontier.points} == {None}
    assert "frontier" not in draw(summary, line, tmp_path)
    report = Report(summary=summary, manifest=MANIFEST, versions={})
    assert "refuses harmful, %" in as_markdown(report)
    (tmp_path / "report.json").write_text(as_json(report), encoding="utf-8")
    assert read_summary(tmp_path) == summary


def test_the_lines_of_the_gap_begin_with_the_base_at_alpha_0() -> None:
    line = lineup(ONE, alphas=(1.0, 0.5), betas=(1.5,), filters=(0.9,))
    found = gap_series(line, summed(line).axes["right"].gaps["all"])
    assert {one.name: [x for x, _ in one.points] for one in found} == {
        "alpha": [0.0, 0.5, 1.0],
        "alpha, top-p 0.9": [0.0, 0.5, 1.0],
        "beta": [1.5],
        "beta, top-p 0.9": [1.5],
    }


def test_the_frontier_names_its_axes_and_every_lambda() -> None:
    found = summed(lineup(TWO, alphas=(1.0,))).frontier
    assert found is not None
    panel = frontier_figure(found).axes[0]
    assert "refused, %" in panel.get_xlabel()
    assert "right and in form, %" in panel.get_ylabel()
    shown = {text.get_text() for text in panel.texts}
    assert shown == {"λ = 0", "λ = 0.25", "λ = 0.5", "λ = 0.75", "λ = 1", "helpful, harmless"}


def test_points_in_one_place_share_a_name() -> None:
    found = summed(lineup(TWO, alphas=(1.0,))).frontier
    assert found is not None
    first, second, *_ = found.points
    names = [[point.weight for point in near] for near in neighbours([first, first, second])]
    assert names == [[0, 0], [0.25]]


def test_without_matplotlib_there_is_a_report_and_a_note(
    make_run: MakeRun, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **more)

    run = make_run()
    summary = evaluate(run)
    monkeypatch.setattr(builtins, "__import__", missing)
    report = publish(run, summary)
    assert report.notes == [
        "no pictures: plots need matplotlib; pip install 'eft-integrations[plot]'"
    ]
    assert report.notes[0] in (run.folder.path / "report.md").read_text(encoding="utf-8")
    assert not list(run.folder.path.glob("*.png"))
