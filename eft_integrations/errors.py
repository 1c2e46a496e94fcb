"""Every deliberate failure, one tree.

A message is one line and says what is wrong, what was got, what the limit is and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# A value may be a million letters; whoever reads of it needs the first and the remedy at the end.
_MAX_LEN, _HEAD_LEN, _TAIL_LEN = 2000, 1500, 400


class EFTError(Exception):
    """Base of every error that this package raises on purpose; its message is one line.

    No ``RuntimeError``, which LlamaIndex's ``asyncio_run`` takes for a nested event loop, and no
    ``ValueError``, which its query engines take for an empty response.
    """

    def __init__(self, message: object = "") -> None:
        lines = (line.strip() for line in str(message).splitlines())
        told = "; ".join(line for line in lines if line)
        if len(told) > _MAX_LEN:
            told = f"{told[:_HEAD_LEN]} … {told[-_TAIL_LEN:]}"
        super().__init__(told)


class UnknownOption(EFTError):
    """An option, role or key that does not exist; the message suggests the nearest one."""


class InvalidRequest(EFTError):
    """A known option with a value that cannot be obeyed."""


class VocabularyMismatch(EFTError):
    """The members' tokenizers give one id to different tokens."""


class LoadError(EFTError):
    """A member could not be loaded or cannot serve in this engine."""


class ContextOverflow(EFTError):
    """Prompt plus max_tokens exceed the context of the shortest member, or the cache budget."""


class Overloaded(EFTError):
    """The waiting queue is full."""


class EngineClosed(EFTError):
    """The engine was closed, or is used in a forked process."""


class StepFailed(EFTError):
    """A forward pass or the choice of a token raised; the cause is chained."""


class ServerError(EFTError):
    """A server behind ``base_url`` is not reached, refuses us, or failed; the cause is chained."""


class UnusableAnswer(EFTError):
    """An answer that has not the form it was asked for, such as JSON that max_tokens cut off."""


def refuse_unknown(kind: str, got: Iterable[object], known: Iterable[str]) -> None:
    """Raise :class:`UnknownOption` for the first name of ``got`` that is not in ``known``."""
    names = sorted(known)
    for name in got:
        if name not in names:
            near = get_close_matches(str(name), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
            raise UnknownOption(f"unknown {kind} {name!r}; {hint}")
