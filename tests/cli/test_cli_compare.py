"""``eft compare``: one batch, a mixture for each row of the table."""

import io

from rich.console import Console

from eft_integrations import Engine
from eft_integrations.chat import render
from eft_integrations.cli.compare import RELATIONS, default_questions, voices_of
from eft_integrations.cli.table import Cell, Section, Voice, drawn, fitting
from eft_integrations.mixture import Mixture, Roles
from eft_integrations.tiny import heldout_questions
from tests.cli.conftest import Eft


def words(text: str) -> str:
    """The letters alone: a table may break a text anywhere."""
    return "".join(sign for sign in text if sign.isalnum())


def test_each_row_is_what_the_engine_answers_alone(
    eft: Eft, family: list[str], engine: Engine
) -> None:
    result = eft("compare", "Hello", *family, "--max-tokens", 8, env={"COLUMNS": "400"})
    prompt = render(engine, [{"role": "user", "content": "Hello"}])
    mixtures = {
        "tuned": Mixture(weights={"tuned": 1}),
        "base (alpha 0)": Mixture(weights={"base": 1}),
        **{f"alpha {alpha:g}": Mixture(alpha=alpha) for alpha in (0.5, 1.0, 1.5)},
    }
    rows = [line for line in result.stdout.splitlines() if line.count("|") >= 4]
    for label, mixture in mixtures.items():
        text = engine.generate(prompt, max_tokens=8, mixture=mixture).text
        assert any(label in row and words(text) in words(row) for row in rows), label


def test_the_last_line_counts_tokens_and_passes(eft: Eft, family: list[str]) -> None:
    result = eft("compare", "One", "Two", *family, "--max-tokens", 4, "--alpha", 1)
    told = result.stdout.splitlines()[-1]
    assert told.startswith("24 tokens in ")
    assert told.endswith(" passes of each member")


def test_a_pipe_gets_a_plain_table(eft: Eft, family: list[str]) -> None:
    result = eft("compare", "Hello", *family, "--max-tokens", 4)
    assert "\x1b" not in result.stdout
    assert result.stdout.startswith("+--")
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_alpha_0_is_shown_once_as_the_base() -> None:
    roles = Roles(tuned=("tuned",), reference_of={"tuned": "reference"}, available=("base",))
    voices = voices_of(roles, [Mixture(alpha=0.0), Mixture(alpha=2.0)], None)
    assert [voice.label for voice in voices] == ["tuned", "base (alpha 0)", "alpha 2"]


def test_several_tuned_models_share_the_default_alphas() -> None:
    roles = Roles(tuned=("a", "b"), reference_of={"a": "r", "b": "r"}, available=("base",))
    voices = voices_of(roles, [], None)
    assert [v.label for v in voices[:3]] == ["a", "b", "base (alpha 0)"]
    assert voices[4].mixture == Mixture(alpha={"a": 0.5, "b": 0.5})


def test_the_default_questions_are_held_out_one_of_a_kind() -> None:
    kinds = {item.question: item.relation for item in heldout_questions()}
    assert tuple(kinds[question] for question in default_questions()) == RELATIONS


def section(*texts: str, is_done: bool = True) -> Section:
    voice = Voice(label="alpha 1", mixture=Mixture(alpha=1.0))
    cells = [Cell(voice=voice, text=text, is_done=is_done) for text in texts]
    return Section(question="Where?", answer="Chad", cells=cells)


def shown(sections: list[Section], width: int = 80, height: int = 24) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    console.print(fitting(console, sections))
    return file.getvalue()


def test_right_answers_are_marked_and_no_others() -> None:
    lines = shown([section("It is Chad.", "It is Chadron.", "chad")]).splitlines()
    assert [("✓" in line) for line in lines if "alpha 1" in line] == [True, False, False]


def test_while_it_fills_a_tall_table_gives_each_answer_one_line() -> None:
    rambling = "and so on " * 40
    assert len(shown([section(rambling, rambling, is_done=False)], height=12).splitlines()) < 12
    assert len(shown([section(rambling, rambling)], height=12).splitlines()) > 12


def test_control_characters_and_markup_of_an_answer_stay_text() -> None:
    told = shown([section("\x1b[31mred [bold]\nnext")])
    assert "\x1b" not in told
    assert "[31mred [bold] next" in told


def test_the_table_is_as_wide_as_the_terminal() -> None:
    for width in (80, 120):
        assert {len(line) for line in shown([section("x")], width=width).splitlines()} == {width}


def test_a_plain_table_holds_ascii_lines_only() -> None:
    file = io.StringIO()
    Console(file=file, width=80).print(drawn([section("It is.")], is_plain=True))
    assert file.getvalue().isascii()
