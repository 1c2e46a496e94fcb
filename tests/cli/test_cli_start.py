"""The front door: light, helpful, and plain about wrong usage."""

import subprocess
import sys

import pytest

from eft_integrations import __version__
from tests.cli.conftest import COMMAND, Eft


def test_the_command_line_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, eft_integrations.cli.app;"
        "sys.exit(bool({'torch', 'transformers', 'jinja2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_eft_alone_shows_the_commands() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=True)
    assert all(
        command in done.stdout for command in ("ask", "compare", "chat", "check", "evaluate")
    )


def test_the_version_is_the_packages(eft: Eft) -> None:
    assert eft("--version").stdout == f"eft {__version__}\n"


@pytest.mark.parametrize("command", ["ask", "compare", "chat", "check", "evaluate"])
def test_help_names_the_members_and_their_default(eft: Eft, command: str) -> None:
    told = eft(command, "--help", env={"COLUMNS": "100"}).stdout
    assert "--base" in told
    assert "embedded" in told


@pytest.mark.parametrize("words", [("--nope",), ("ask",), ("ask", "x", "--beta", "y"), ("nope",)])
def test_wrong_usage_exits_2_with_a_hint(eft: Eft, words: tuple[str, ...]) -> None:
    result = eft(*words)
    assert result.exit_code == 2
    assert "--help" in result.stderr
    assert not result.stdout
