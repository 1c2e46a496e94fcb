"""The openai client; no other file of this room knows it."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
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
# What the client, which checks no answer, and we, who read it, raise for one of another form.
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError)
_UNWRITABLE = (TypeError, UnicodeEncodeError)
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

    @asynccontextmanager
    async def place(self, seconds: float | None) -> AsyncIterator[None]:
        """As :meth:`Clients.place`."""
        try:
            async with asyncio.timeout(seconds):
                await self.places.acquire()
        except TimeoutError:
            raise _crowded() from None
        try:
            yield
        finally:
            self.places.release()


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds to wait, and how often to ask again; None: as the client has it."""

    timeout: float | None = None
    max_retries: int | None = None

    def of(self, client: Any) -> Any:
        """The client with this patience, over the same connections."""
        told = {"timeout": self.timeout, "max_retries": self.max_retries}
        given = {name: value for name, value in told.items() if value is not None}
        return client.with_options(**given) if given else client


class Clients:
    """One client for all threads, and one for each event loop; a forked process has its own."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._begin()
        _OPEN.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self.asking = threading.Lock()  # held while a server is asked about itself
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
                client = OpenAI(**self._settings)
                self._at_end = weakref.finalize(self, client.close)
                self._client = client
            return self._client

    @contextmanager
    def place(self, seconds: float | None) -> Iterator[None]:
        """Hold one of the places for whole answers; ``Overloaded`` where none is left in time."""
        if not self.places.acquire(timeout=seconds):
            raise _crowded()
        try:
            yield
        finally:
            self.places.release()

    async def of_loop(self) -> LoopClient:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        self._forget_closed()
        if loop not in self._loops:
            kept = self._kept(loop)
            self._loops[loop] = (kept, await anext(kept))
        return self._loops[loop][1]

    async def _kept(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[LoopClient]:
        """A generator, since a loop closes those that are open before it is closed itself."""
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        # the client's own would be closed by whichever loop runs while it is collected
        http = DefaultAsyncHttpxClient()
        try:
            async with AsyncOpenAI(**self._settings, http_client=http) as client:
                yield LoopClient(client=client, places=asyncio.Semaphore(MAX_AT_ONCE))
        finally:
            self._loops.pop(loop, None)

    def _forget_closed(self) -> None:
        """Loops that were closed without their generators, as LlamaIndex's ``asyncio_run`` does."""
        for known in self._loops.keyrefs():  # a list, while other threads add theirs
            if (loop := known()) is not None and loop.is_closed():
                self._loops.pop(loop, None)

    def leave_to_parent(self) -> None:
        """After a fork: connections and locks are the parent's, and are not even closed here."""
        if self._client is not None:
            self._at_end.detach()
        _OF_PARENT.append((self._client, dict(self._loops)))
        self._begin()


_OPEN: weakref.WeakSet[Clients] = weakref.WeakSet()
_OF_PARENT: list[object] = []


def _after_fork() -> None:
    for clients in list(_OPEN):
        clients.leave_to_parent()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def our_errors(url: str, *, has_begun: bool = False) -> Iterator[None]:
    """The client's errors as ours, with the remedy. ``has_begun``: its answer."""
    from openai import APIError

    try:
        yield
    except APIError as error:
        raise _ours(error, url, has_begun=has_begun) from error
    except _UNREADABLE as error:
        raise ServerError(
            f"the server at {url} answers in another form than OpenAI's protocol has: {error}; "
            f"correct base_url=, or see its log"
        ) from error


@contextmanager
def sending() -> Iterator[None]:
    """What cannot be written into a request is not the server's fault."""
    try:
        yield
    except _UNWRITABLE as error:
        raise InvalidRequest(f"the request cannot be sent: {error}; mend what is named") from error


def _crowded() -> Overloaded:
    return Overloaded(
        f"{MAX_AT_ONCE} answers of the server are waited for, and none came in time; raise "
        f"timeout=, or ask less at once"
    )


def _ours(error: APIError, url: str, *, has_begun: bool) -> EFTError:
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APITimeoutError):
        return ServerError(f"the server at {url} does not answer in time; raise timeout=")
    if isinstance(error, APIConnectionError):
        reason = error.__cause__ or error
        failed, remedy = "cannot be reached", "start it, or correct base_url="
        if has_begun:
            failed, remedy = "broke off its answer", "see its log, and ask again"
        return ServerError(f"the server at {url} {failed}: {reason}; {remedy}")
    told: Mapping[str, Any] = error.body if isinstance(error.body, Mapping) else {}
    said = str(told.get("message") or told.get("detail") or error)
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
