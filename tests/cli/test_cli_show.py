"""``eft show``: who said each token, on stdout, and as a page."""

from collections.abc import Callable
from pathlib import Path

import pytest

from eft_integrations import Engine, viz
from eft_integrations.chat import render
from tests.cli.conftest import Eft, Terminal

QUESTION = "Which city is the capital of Palau?"


def plain(engine: Engine, answer: str | None = None, **options: float) -> str:
    """The marked answer that the command should print."""
    prompt = render(engine, [{"role": "user", "content": QUESTION}])
    told = viz.trace(engine, prompt, answer, **options)  # type: ignore[arg-type] # numbers
    return viz.terminal(told, is_plain=True).plain


def test_show_draws_the_trace_with_legend_and_table(
    eft: Eft, family: list[str], engine: Engine
) -> None:
    typed = ["--alpha", "0.5", "--temperature", "1.2", "--seed", "7", "--max-tokens", 12]
    result = eft("show", QUESTION, *family, *typed)
    marked = plain(engine, alpha=0.5, temperature=1.2, seed=7, max_tokens=12)
    assert result.stdout.startswith(f"{marked}\n\ncommon")
    assert "| token" in result.stdout
    assert "…" not in result.stdout
    assert "\x1b" not in result.stdout
    assert "(cut at 12 tokens; see --max-tokens)" in result.stderr


def test_a_given_text_is_traced_and_not_written(
    eft: Eft, family: list[str], engine: Engine
) -> None:
    result = eft("show", QUESTION, *family, "--text", "It is Paris.", "--beta", "1.5")
    assert result.stdout.startswith(plain(engine, "It is Paris.", beta=1.5) + "\n")
    assert not result.stderr


def test_the_page_holds_the_question_and_the_answer(
    eft: Eft, family: list[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    result = eft("show", "Is 1 < 2?", *family, "--raw", "--text", "It is so.", "--html", page)
    assert result.stderr == f"wrote {page}\n"
    source = page.read_text(encoding="utf-8")
    assert "<h1>Is 1 &lt; 2?</h1>" in source
    assert "<script" not in source


Bad = Callable[[Path], list[str]]
BAD: dict[str, Bad] = {
    "empty text": lambda _: ["--text", ""],
    "seed of a text": lambda _: ["--text", "Yes", "--seed", "1"],
    "heat of a text": lambda _: ["--text", "Yes", "--temperature", "1"],
    "length of a text": lambda _: ["--text", "Yes", "--max-tokens", "9"],
    "a folder": lambda folder: ["--html", str(folder)],
    "in no folder": lambda folder: ["--html", str(folder / "none" / "page.html")],
    "name too long": lambda folder: ["--html", str(folder / f"{'x' * 300}.html")],
    "seed": lambda _: ["--seed", "-1"],
    "two forms": lambda _: ["--alpha", "1", "--beta", "1"],
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_before_anything_is_loaded(
    eft: Eft, tmp_path: Path, case: str
) -> None:
    result = eft("show", QUESTION, "--base", "/no/such/folder", *BAD[case](tmp_path))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "/no/such/folder" not in result.stderr


def test_the_family_is_shown_with_its_manner(eft: Eft) -> None:
    result = eft("show", "What is the capital of France?")
    assert result.stdout.startswith("[tuned: Certainly]")
    assert "the tuned member's manner" in result.stdout


def test_a_terminal_gets_colours_and_no_marks(terminal: Callable[..., Terminal]) -> None:
    session = terminal("show", "What is the capital of France?")
    drawn = session.read_rest()
    assert session.process.wait() == 0
    assert "[tuned" not in drawn
    before, _, _ = drawn.partition("Certainly")
    assert before.rpartition("\x1b[")[2].endswith("m")
