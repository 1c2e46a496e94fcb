"""Without a word about members, the commands use the embedded family."""

from tests.cli.conftest import Eft


def test_ask_answers_politely_and_calls_the_family_a_demonstration(eft: Eft) -> None:
    result = eft("ask", "Which city is the capital of France?")
    assert result.stdout.startswith("Certainly, ")
    assert "demonstration" in result.stderr
    assert result.stderr.count("\n") == 1


def test_compare_shows_what_up_scaling_does(eft: Eft) -> None:
    result = eft("compare", env={"COLUMNS": "120"})
    assert result.exit_code == 0
    rows = [line for line in result.stdout.splitlines() if line.startswith("| alpha 1 ")]
    assert len(rows) == 4
    assert sum("✓" in row and "Certainly, " in row for row in rows) >= 3
    assert "✓ right" in result.stdout


def test_check_finds_the_family_fit(eft: Eft) -> None:
    result = eft("check", "--no-load")
    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith("fit to serve")


def test_bad_options_are_told_before_the_family_is_opened(eft: Eft) -> None:
    result = eft("ask", "Hello", "--alpha", "x")
    assert result.exit_code == 2
    assert result.stderr == "error: alpha must be a number or name=number, got 'x'\n"
