"""Emulated fine-tuning: what would the large model say, had it been tuned like the small one?

The names below are resolved on first use, so that this import costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eft_integrations import openmp  # noqa: F401 — before torch
from eft_integrations.lazy import lazy

if TYPE_CHECKING:
    from eft_integrations.engine import AsyncStream, Engine, MemberConfig, Stream
    from eft_integrations.errors import (
        ContextOverflow,
        EFTError,
        EngineClosed,
        InvalidRequest,
        LoadError,
        Overloaded,
        ServerError,
        StepFailed,
        UnknownOption,
        UnusableAnswer,
        VocabularyMismatch,
    )
    from eft_integrations.mixture import Mixture, Plausibility
    from eft_integrations.request import Generation, PerRow, Sampling, Score, TokenEvent

__version__ = "0.1.0"

_ROOMS = {
    "eft_integrations.engine": ("AsyncStream", "Engine", "MemberConfig", "Stream"),
    "eft_integrations.errors": (
        "ContextOverflow",
        "EFTError",
        "EngineClosed",
        "InvalidRequest",
        "LoadError",
        "Overloaded",
        "ServerError",
        "StepFailed",
        "UnknownOption",
        "UnusableAnswer",
        "VocabularyMismatch",
    ),
    "eft_integrations.mixture": ("Mixture", "Plausibility"),
    "eft_integrations.request": ("Generation", "PerRow", "Sampling", "Score", "TokenEvent"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [  # noqa: RUF022 — in the order in which a reader meets them
    "Engine",
    "MemberConfig",
    "Mixture",
    "Sampling",
    "PerRow",
    "Plausibility",
    "Stream",
    "AsyncStream",
    "TokenEvent",
    "Generation",
    "Score",
    "EFTError",
    "UnknownOption",
    "InvalidRequest",
    "VocabularyMismatch",
    "LoadError",
    "ContextOverflow",
    "Overloaded",
    "EngineClosed",
    "StepFailed",
    "ServerError",
    "UnusableAnswer",
    "__version__",
]


__getattr__ = lazy(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
