"""One server for all who name it: where it is, its clients, and which models it has."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from eft_integrations import checks
from eft_integrations.errors import EFTError, InvalidRequest, ServerError
from eft_integrations.remote.client import (
    Clients,
    Patience,
    our_errors,
    require_openai,
    sending,
)
from eft_integrations.wire import PROBE

MAX_RETRIES = 2  # as the official client has it
_KEYS = ("EFT_API_KEY", "OPENAI_API_KEY")
_SECRET_LEN = 8  # shorter ones are found in any message
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
        _refuse_address(self.base_url)
        checks.integer("max_retries", self.max_retries, low=0)
        if self.api_key is not None:
            checks.header("api_key (or EFT_API_KEY, OPENAI_API_KEY)", self.api_key)


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
        self._obeying: set[str] = set()

    @property
    def base_url(self) -> str:
        return self.config.base_url

    @contextmanager
    def errors(self, *, has_begun: bool = False) -> Iterator[None]:
        """The client's errors as ours; a key that a server repeats is cut out of them."""
        try:
            with our_errors(self.base_url, has_begun=has_begun):
                yield
        except EFTError as error:
            if isinstance(error, ServerError):  # it may come back as another
                self._models, self._obeying = {}, set()
            key = self.config.api_key or ""
            if len(key) < _SECRET_LEN or key not in str(error):
                raise
            raise type(error)(str(error).replace(key, "(the key)")) from None

    def models(self, patience: Patience) -> Mapping[str, int | None]:
        """The context of each model by its name, in the server's order; asked for once."""
        with self.clients.asking:
            if not self._models:
                with self.errors():
                    cards = list(patience.of(self.clients.of_threads()).models.list())
                    found = {card.id: getattr(card, "max_model_len", None) for card in cards}
                if not found or None in found:
                    raise ServerError(f"the server at {self.base_url} has no model; see its log")
                self._models = found
            return self._models

    def require_plugin(self, model: str, patience: Patience, *, is_chat: bool) -> None:
        """Raises ``InvalidRequest`` where coefficients would be passed over; asked once a model.

        Who answers a request with a coefficient that is no number does not read coefficients.
        """
        kind = "chat" if is_chat else "text"
        with self.clients.asking:
            if f"{kind} {model}" in self._obeying:
                return
            try:
                self._probe(patience.of(self.clients.of_threads()), model, is_chat=is_chat)
            except InvalidRequest:
                self._obeying.add(f"{kind} {model}")
                return
        raise InvalidRequest(
            f"the server at {self.base_url} passes over coefficients for {model!r}, since it runs "
            f"without our plugin; start it with eft serve-vllm, or leave out alpha and its like"
        )

    def _probe(self, client: Any, model: str, *, is_chat: bool) -> None:
        said = {"messages": [{"role": "user", "content": "?"}]} if is_chat else {"prompt": "?"}
        kind = client.chat.completions if is_chat else client.completions
        with self.errors():
            kind.create(model=model, **said, max_tokens=1, extra_body={"vllm_xargs": PROBE})

    def tokenize(self, asked: Mapping[str, Any], patience: Patience) -> list[int]:
        """vLLM's own /tokenize, which is beside the version and not below it."""
        url = urljoin(self.base_url.rstrip("/") + "/", "../tokenize")
        client = patience.of(self.clients.of_threads())
        with self.errors():
            with sending():
                found = client.post(url, body=dict(asked), cast_to=object)
            return list(found["tokens"])

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[[str, int], SharedServer], tuple[str, int]]:
        return _unpickled, (self.config.base_url, self.config.max_retries)

    def __repr__(self) -> str:
        return f"SharedServer({self.base_url!r})"


def _refuse_address(base_url: str) -> None:
    """Addresses are shown: in a repr, in traces and errors."""
    if any(sign in base_url for sign in "@?#"):
        raise InvalidRequest(
            "base_url must have no user, password or query, since it is shown; give api_key="
        )
    try:
        parts = urlsplit(base_url)
        is_known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of the port, or of an IPv6 address
        is_known = False
    if not is_known or base_url != base_url.strip():
        raise InvalidRequest(f"base_url must be such as http://localhost:8000/v1, got {base_url!r}")


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
