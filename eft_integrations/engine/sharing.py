"""One engine for all who ask for the same settings: a weak registry of open engines."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from eft_integrations.engine.config import EngineConfig
from eft_integrations.engine.engine import Engine


class SharedEngine:
    """An engine that is opened on first use, and shared by every copy, also by unpickled ones."""

    def __init__(self, config: EngineConfig, engine: Engine | None = None) -> None:
        self.config = config
        self._engine = engine
        self._lock = threading.Lock()

    def get(self) -> Engine:
        """The engine; loads its members on the first call. Raises what loading raises."""
        with self._lock:
            if self._engine is None:
                self._engine = Engine.open(self.config)
            return self._engine

    @property
    def is_closed(self) -> bool:
        """It was opened, and somebody closed it."""
        return self._engine is not None and self._engine.is_closed

    @property
    def context_len(self) -> int | None:
        """Tokens that the shortest member holds; None where no local config tells it."""
        if self._engine is not None:
            return self._engine.context_len
        known = [
            _positions(str(member.path), member.revision) for member in self.config.members.values()
        ]
        lengths = [length for length in (*known, self.config.max_context) if length is not None]
        return min(lengths) if None not in known else None

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[[EngineConfig], SharedEngine], tuple[EngineConfig]]:
        return shared, (self.config,)

    def __repr__(self) -> str:
        return f"SharedEngine({', '.join(self.config.members)})"


_SHARED: weakref.WeakValueDictionary[str, SharedEngine] = weakref.WeakValueDictionary()
_LOCK = threading.Lock()


def shared(config: EngineConfig) -> SharedEngine:
    """The engine of these settings, whoever asked first; it lives as long as somebody holds it.

    One that was closed is not handed out again.
    """
    with _LOCK:
        known = _SHARED.get(_key(config))
        if known is None or known.is_closed:
            known = _SHARED[_key(config)] = SharedEngine(config)
        return known


def shared_with(engine: Engine) -> SharedEngine:
    """An open engine, which copies and pickles of its holder find again by its settings."""
    with _LOCK:
        known = _SHARED.get(_key(engine.config))
        if known is not None and known._engine is engine:
            return known
        mine = SharedEngine(engine.config, engine)
        _SHARED[_key(engine.config)] = mine
        return mine


def _key(config: EngineConfig) -> str:
    """Equal for equal settings, whether a path was given as text or not."""
    members = {role: replace(m, path=str(m.path)) for role, m in config.members.items()}
    return repr(replace(config, members=members))


@lru_cache(maxsize=64)
def _positions(path: str, revision: str | None) -> int | None:
    """What the config of a local folder or of a cached id says; nothing is fetched for it."""
    file = _config_file(path, revision)
    if file is None:
        return None
    config = json.loads(file.read_text(encoding="utf-8"))
    # Models of several kinds of input have one config for their text.
    found = {**config, **(config.get("text_config") or {})}.get("max_position_embeddings")
    return found if isinstance(found, int) else None


def _config_file(path: str, revision: str | None) -> Path | None:
    file = Path(path) / "config.json"
    if file.is_file():
        return file
    try:
        cached = try_to_load_from_cache(path, "config.json", revision=revision)
    except HFValidationError:  # a path, and no id
        return None
    return Path(cached) if isinstance(cached, str) else None
