"""One server for all who name it: where it is, its clients, and which models it has."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from eft_integrations import checks
from eft_integrations.errors import InvalidRequest, ServerError
from eft_integrations.remote.client import Clients, our_errors, require_openai

MAX_RETRIES = 2  # as the official client has it
_KEYS = ("EFT_API_KEY", "OPENAI_API_KEY")
_NO_KEY = "none"  # a local server asks for none, but the client wants one


def key_in_environment() -> str | None:
    """EFT_API_KEY, then OPENAI_API_KEY."""
    return next((key for name in _KEYS if (key := os.environ.get(name))), None)


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Where a server is, and how it is asked."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    max_retries: int = MAX_RETRIES

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidRequest(
                f"base_url must be such as http://localhost:8000/v1, got {self.base_url!r}"
            )
        checks.integer("max_retries", self.max_retries, low=0)


class SharedServer:
    """A server that is found by its settings, by every copy, and by unpickled ones."""

    context_len: int | None = None  # nobody is asked for it before the first use

    def __init__(self, config: ServerConfig) -> None:
        require_openai()
        self.config = config
        self.clients = Clients(
            base_url=config.base_url,
            api_key=config.api_key or _NO_KEY,
            max_retries=config.max_retries,
        )
        self._models: Mapping[str, int | None] = {}
        self._lock = threading.Lock()

    @property
    def base_url(self) -> str:
        return self.config.base_url

    def models(self) -> Mapping[str, int | None]:
        """The context of each model by its name, in the server's order; asked for once."""
        with self._lock:
            if not self._models:
                with our_errors(self.base_url):
                    cards = list(self.clients.of_threads().models.list())
                if not cards:
                    raise ServerError(f"the server at {self.base_url} has no model; see its log")
                self._models = {card.id: getattr(card, "max_model_len", None) for card in cards}
            return self._models

    def tokenize(self, asked: Mapping[str, Any]) -> list[int]:
        """vLLM's own /tokenize, which is beside the version and not below it."""
        url = urljoin(self.base_url.rstrip("/") + "/", "../tokenize")
        with our_errors(self.base_url):
            found: Any = self.clients.of_threads().post(url, body=dict(asked), cast_to=object)
        return list(found["tokens"])

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[[str, int], SharedServer], tuple[str, int]]:
        return _unpickled, (self.config.base_url, self.config.max_retries)

    def __repr__(self) -> str:
        return f"SharedServer({self.base_url!r})"


_SHARED: weakref.WeakValueDictionary[ServerConfig, SharedServer] = weakref.WeakValueDictionary()
_LOCK = threading.Lock()


def served(config: ServerConfig) -> SharedServer:
    """The server of these settings, whoever named it first; nothing is sent."""
    with _LOCK:
        known = _SHARED.get(config)
        if known is None:
            known = _SHARED[config] = SharedServer(config)
        return known


def _unpickled(base_url: str, max_retries: int) -> SharedServer:
    key = key_in_environment()
    return served(ServerConfig(base_url=base_url, api_key=key, max_retries=max_retries))
