"""Who hears how far a run is; the faces draw it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Stages of known length, one after the other."""

    def begin(self, stage: str, total: int) -> None:
        """A stage of ``total`` pieces begins."""

    def advance(self, num: int) -> None:
        """So many more pieces of it are done."""


class Silence:
    """A :class:`Progress` that tells nobody."""

    def begin(self, stage: str, total: int) -> None:
        pass

    def advance(self, num: int) -> None:
        pass
