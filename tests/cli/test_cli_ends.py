"""How the process ends where somebody stops it."""

import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from eft_integrations import Engine
from eft_integrations.cli.boundary import printable
from tests.cli.conftest import COMMAND, Eft


def test_a_broken_pipe_ends_ask_quietly(endless: list[str]) -> None:
    asked = subprocess.Popen(
        [*COMMAND, "ask", "Hello", *endless], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert asked.stdout is not None
    assert asked.stderr is not None
    assert asked.stdout.read(5)
    asked.stdout.close()
    assert asked.stderr.read() == b""
    assert asked.wait() == 141
    asked.stderr.close()


def test_ctrl_c_ends_ask_quietly_with_130(endless: list[str]) -> None:
    asked = subprocess.Popen(
        [*COMMAND, "ask", "Hello", *endless], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert asked.stdout is not None
    asked.stdout.read(5)
    asked.send_signal(signal.SIGINT)
    _, told = asked.communicate()
    assert (told, asked.returncode) == (b"", 130)


@pytest.mark.parametrize("words", [("ask", "Hello"), ("report", "--live", 2), ("evaluate",)])
@pytest.mark.parametrize("is_ignored", [False, True])
def test_ctrl_c_that_native_code_tells_as_another_error_ends_with_130(
    eft: Eft,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    is_ignored: bool,
    words: tuple[object, ...],
) -> None:
    """As safetensors does where it meets it reading weights; who ignores it hears the error."""

    def load(*_: object, **__: object) -> Engine:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise ValueError("no shape")

    monkeypatch.setattr(Engine, "from_pretrained", load)
    monkeypatch.setattr(Engine, "tiny", load)
    monkeypatch.chdir(tmp_path)
    mine = signal.SIG_IGN if is_ignored else signal.default_int_handler
    before = signal.signal(signal.SIGINT, mine)
    try:
        result = eft(*words)
    finally:
        left = signal.signal(signal.SIGINT, before)
    assert result.exit_code == (1 if is_ignored else 130)
    assert isinstance(result.exception, ValueError if is_ignored else SystemExit)
    assert left is mine


def test_an_answer_that_is_cut_is_called_so(eft: Eft, endless: list[str]) -> None:
    result = eft("ask", "Hello", *endless[:-1], 8)
    assert result.exit_code == 0
    assert result.stderr == "(cut at 8 tokens; see --max-tokens)\n"


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert printable("a\x1b[2J\tb\r\n\x9b\u20ac") == "a\ufffd[2J\tb\ufffd\n\ufffd\u20ac"
