"""The command in this process, as a process of its own, and on a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eft_integrations.cli.app import app
from tests.conftest import llama, save_trio

# A job in the background inherits an ignored Ctrl-C, which tests of it must not.
_HEARS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
COMMAND = [sys.executable, "-c", f"{_HEARS}; from eft_integrations.cli import main; main()"]
_PATIENCE = 120.0  # seconds for a byte to come; torch takes some of them to import

Eft = Callable[..., Result]


@pytest.fixture
def eft() -> Eft:
    """``eft("ask", "Hello")`` in this process; stdout and stderr apart."""
    runner = CliRunner()
    return lambda *words, **settings: runner.invoke(app, [str(word) for word in words], **settings)


@pytest.fixture
def family(trio: Path) -> list[str]:
    """The options that name the random trio, in float32."""
    return [*_members(trio), "--dtype", "float32"]


def _members(folder: Path) -> list[str]:
    return [
        word
        for role in ("base", "tuned", "reference")
        for word in (f"--{role}", f"{folder / role}")
    ]


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> list[str]:
    """Options of a base model that never ends, for what interrupts it."""
    folder = tmp_path_factory.mktemp("endless")
    without_end = type(tokenizer).from_pretrained(tokenizer.name_or_path, eos_token=None)
    save_trio(folder, without_end, {"base": llama(tokenizer, max_position_embeddings=65536)})
    return ["--base", str(folder / "base"), "--alpha", "0", "--max-tokens", "60000"]


class Terminal:
    """A process on a pseudo-terminal of 80 columns."""

    def __init__(self, words: list[str]) -> None:
        self._ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
        self.process = subprocess.Popen(
            [*COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
        self._unread = ""

    def read_until(self, wanted: str) -> str:
        """What comes before ``wanted``, which is read too."""
        while wanted not in self._unread:
            piece = self._read()
            assert piece, f"{wanted!r} never came after {self._unread!r}"
            self._unread += piece
        before, _, self._unread = self._unread.partition(wanted)
        return before

    def read_rest(self) -> str:
        while piece := self._read():
            self._unread += piece
        return self._unread

    def _read(self) -> str:
        ready, _, _ = select.select([self._ours], [], [], _PATIENCE)
        assert ready, f"nothing came for {_PATIENCE} s after {self._unread[-200:]!r}"
        try:
            return os.read(self._ours, 65536).decode(errors="replace")
        except OSError:  # how Linux says that the other side is closed
            return ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """``terminal("chat", …)`` starts a process; it is ended with the test."""
    opened: list[Terminal] = []

    def start(*words: str) -> Terminal:
        opened.append(Terminal(list(words)))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
