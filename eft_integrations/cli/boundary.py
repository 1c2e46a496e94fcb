"""Where words go, and how a command ends: answers on stdout, all else on stderr, no traceback."""

from __future__ import annotations

import functools
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import typer

from eft_integrations.errors import EFTError
from eft_integrations.request import TokenEvent

BAD_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE

# A model may write escape sequences; a terminal would obey them.
_HARMFUL = dict.fromkeys({*range(32), *range(127, 160)} - {ord("\n"), ord("\t")}, "\ufffd")

P = ParamSpec("P")


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """The command with its ends made plain: one line for an error, silence for a break."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        if sys.stdout is None or sys.stderr is None:  # closed before we began
            raise typer.Exit(BROKEN_PIPE)
        try:
            with _logged():
                command(*args, **kwargs)
        except EFTError as error:
            tell_error(error)
            raise typer.Exit(BAD_INPUT) from error
        except KeyboardInterrupt as stop:
            raise typer.Exit(INTERRUPTED) from stop
        except BrokenPipeError as stop:
            _forget_stdout()
            raise typer.Exit(BROKEN_PIPE) from stop

    return run


@contextmanager
def interrupted_by(*signals: signal.Signals) -> Iterator[None]:
    """These signals, unless they are ignored, end what is done inside as Ctrl-C does.

    Native code that is interrupted, as it reads weights, may tell of any other error.
    """
    heard: list[int] = []

    def stop(number: int, _frame: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    minded = [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in minded}
    try:
        yield
    except Exception as error:
        if heard:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(note: str) -> None:
    """One line for the person, on stderr."""
    sys.stderr.write(printable(note.replace("\n", " ")) + "\n")
    sys.stderr.flush()


def tell_error(error: EFTError) -> None:
    tell(f"error: {error}")


def write(text: str) -> None:
    """A piece of an answer, on stdout at once."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def pour(events: Iterable[TokenEvent], shown: list[str]) -> None:
    """Write an answer as it comes, note it in ``shown``, and end its line whatever happens."""
    try:
        for event in events:
            shown.append(event.text)
            write(event.text)
    finally:
        if not "".join(shown).endswith("\n"):
            write("\n")


def printable(text: str) -> str:
    """Without control characters, but for line breaks and tabs."""
    return text.translate(_HARMFUL)


@contextmanager
def _logged() -> Iterator[None]:
    """The package's log on stderr: what takes time on a terminal, warnings alone elsewhere."""
    logger = logging.getLogger("eft_integrations")
    handler = logging.StreamHandler(sys.stderr)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if sys.stderr.isatty() else logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _forget_stdout() -> None:
    """Nobody reads any more: the interpreter's last flush must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
