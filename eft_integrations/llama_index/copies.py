"""Copies and pickles of models, which leave behind what belongs to a process."""

from __future__ import annotations

from typing import Any, Self

from llama_index.core.callbacks import CallbackManager
from pydantic import BaseModel

# Handlers hold loops and locks.
_LOCAL = ("callback_manager", "rate_limiter")


def without_local(state: dict[Any, Any]) -> dict[Any, Any]:
    """A pydantic object's state as it is pickled."""
    kept = {k: v for k, v in state["__dict__"].items() if k not in _LOCAL}
    return {**state, "__dict__": kept}


class Portable(BaseModel):
    """Core's own pickling deletes from the living object what it cannot write."""

    def __getstate__(self) -> dict[Any, Any]:
        return without_local(BaseModel.__getstate__(self))

    def __setstate__(self, state: dict[Any, Any]) -> None:
        fresh: dict[str, Any] = {"callback_manager": CallbackManager([])}
        fresh |= {"rate_limiter": None} if "rate_limiter" in type(self).model_fields else {}
        BaseModel.__setstate__(self, {**state, "__dict__": {**state["__dict__"], **fresh}})

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        local = (getattr(self, name, None) for name in _LOCAL)
        shared = {id(value): value for value in local if value is not None}
        return super().__deepcopy__({**(memo or {}), **shared})
