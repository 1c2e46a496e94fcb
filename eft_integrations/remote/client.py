"""The openai client; no other file of this room knows it."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from eft_integrations.errors import (
    ContextOverflow,
    EFTError,
    InvalidRequest,
    LoadError,
    Overloaded,
    ServerError,
)

if TYPE_CHECKING:
    from openai import APIError, AsyncOpenAI, OpenAI

MAX_AT_ONCE = 64  # whole answers that are waited for; a server has a queue, but also a limit
# The parameters that vLLM blames where prompt and max_tokens are too long together.
_LENGTHS = frozenset({"input_text", "input_tokens", "max_tokens", "max_completion_tokens"})


def require_openai() -> None:
    """Raise ``LoadError`` where the client is not installed; it is not imported yet."""
    if find_spec("openai") is None:
        raise LoadError("base_url= needs the openai client; pip install 'eft-integrations[remote]'")


@dataclass(frozen=True, kw_only=True)
class LoopClient:
    """The client of one event loop, and its places for whole answers."""

    client: AsyncOpenAI
    places: asyncio.Semaphore


class Clients:
    """One client for all threads, and one for each event loop."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: OpenAI | None = None
        self._loops: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[AsyncGenerator[LoopClient], LoopClient]
        ] = weakref.WeakKeyDictionary()
        self.places = threading.BoundedSemaphore(MAX_AT_ONCE)

    def of_threads(self) -> OpenAI:
        """Made on first use."""
        from openai import OpenAI

        with self._lock:
            if self._client is None:
                self._client = OpenAI(**self._settings)
                weakref.finalize(self, self._client.close)
            return self._client

    async def of_loop(self) -> LoopClient:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            kept = self._kept(loop)
            self._loops[loop] = (kept, await anext(kept))
        return self._loops[loop][1]

    async def _kept(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[LoopClient]:
        """A generator, since a loop closes those that are open before it is closed itself."""
        from openai import AsyncOpenAI

        try:
            async with AsyncOpenAI(**self._settings) as client:
                yield LoopClient(client=client, places=asyncio.Semaphore(MAX_AT_ONCE))
        finally:
            self._loops.pop(loop, None)


@contextmanager
def our_errors(url: str) -> Iterator[None]:
    """The client's errors as ours, with the remedy."""
    from openai import APIError

    try:
        yield
    except APIError as error:
        raise _ours(error, url) from error


def _ours(error: APIError, url: str) -> EFTError:
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APITimeoutError):
        return ServerError(f"the server at {url} does not answer in time; raise timeout=")
    if isinstance(error, APIConnectionError):
        reason = error.__cause__ or error
        return ServerError(
            f"the server at {url} cannot be reached: {reason}; start it, or correct base_url="
        )
    told: Mapping[str, Any] = error.body if isinstance(error.body, Mapping) else {}
    said = str(told.get("message") or error)
    status = error.status_code if isinstance(error, APIStatusError) else told.get("code")
    if status in (400, 422):
        return (ContextOverflow if told.get("param") in _LENGTHS else InvalidRequest)(said)
    return _of_status(status, f"the server at {url}", said)


def _of_status(status: Any, server: str, said: str) -> EFTError:
    if status in (401, 403):
        return ServerError(f"{server} refuses the key: {said}; give api_key=, or set EFT_API_KEY")
    if status == 404:
        return ServerError(
            f"{server} does not have what is asked: {said}; correct model=, and base_url=, which "
            f"ends with the version, such as /v1"
        )
    if status == 429:
        return Overloaded(
            f"{server} is asked too much: {said}; ask less at once, or raise max_retries="
        )
    return ServerError(f"{server} failed: {said}; see its log")
