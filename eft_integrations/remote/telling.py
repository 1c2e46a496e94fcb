"""A response as it comes: one course, two thin loops over the official client's streams."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Self

from eft_integrations.chat.events import ChatEvent
from eft_integrations.chat.speaker import Answer
from eft_integrations.errors import EFTError, InvalidRequest, ServerError
from eft_integrations.remote.body import Body
from eft_integrations.remote.client import Patience, sending
from eft_integrations.remote.reading import Listener
from eft_integrations.remote.server import SharedServer


@dataclass(frozen=True, kw_only=True)
class ServerReady:
    """A body that is ready to be sent."""

    server: SharedServer
    model_name: str
    body: Body
    patience: Patience

    def answers(self) -> list[Answer]:
        """Every choice, whole."""
        return ServerTold(self).answers()

    async def aanswers(self) -> list[Answer]:
        """The twin of :meth:`answers`."""
        return await AsyncServerTold(self).answers()

    def stream(self) -> ServerTold:
        """The answer as it comes; sent on entering."""
        self._refuse_choices()
        return ServerTold(self)

    def astream(self) -> AsyncServerTold:
        """The twin of :meth:`stream`."""
        self._refuse_choices()
        return AsyncServerTold(self)

    def _refuse_choices(self) -> None:
        if self.body.num_choices > 1:
            raise InvalidRequest(
                f"a stream tells one text, got n={self.body.num_choices}; ask for whole answers"
            )

    def sent_by(self, client: Any) -> Any:
        """The client's stream, or what is awaited for it."""
        body, client = self.body, self.patience.of(client)
        kind = client.chat.completions if body.is_chat else client.completions
        return kind.create(
            model=self.model_name,
            **body.said,
            stream=True,
            extra_body=body.rest,
            extra_headers=body.headers,
        )


class _Course:
    """How far a response has come, and why it ends."""

    def __init__(self, ready: ServerReady) -> None:
        self._server = ready.server
        self._listener = Listener(ready.body.num_choices)
        self._timeout = ready.patience.timeout
        self._start = time.monotonic()
        self.is_closed = False

    @property
    def is_over(self) -> bool:
        return self._listener.is_over

    @property
    def is_late(self) -> bool:
        return self.seconds_left == 0.0

    @property
    def seconds_left(self) -> float | None:
        """Until the deadline, if there is one."""
        if self._timeout is None:
            return None
        return max(0.0, self._start + self._timeout - time.monotonic())

    def take(self, chunk: Any) -> list[ChatEvent]:
        """What a chunk brings, or, where it is None, the end."""
        if chunk is not None:
            with self._server.errors():
                return self._listener.take(chunk)
        if self.is_closed:
            return self._listener.end("cancelled")
        return self._listener.end("timeout" if self.is_late else None)

    def forgive(self, error: EFTError) -> None:
        """Raise it, unless nobody waits for more."""
        if not (self.is_closed or self.is_late):
            raise error

    def answers(self) -> list[list[ChatEvent]]:
        return self._listener.answers


class ServerTold:
    """Sent on entering; leaving, or ``close`` from any thread, closes the response."""

    def __init__(self, ready: ServerReady) -> None:
        self._ready = ready
        self._course = _Course(ready)
        self._chunks: Any = None
        self._reading = threading.Lock()

    def __enter__(self) -> Self:
        with self._reading, self._ready.server.errors(), sending():
            if not self._course.is_closed:
                self._chunks = self._ready.sent_by(self._ready.server.clients.of_threads())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Answer:
        while not self._course.is_over:
            events = self._course.take(self._next_chunk())
            if events:
                return events
        raise StopIteration

    def close(self) -> None:
        """A thread that reads closes the response itself, at its next chunk."""
        self._course.is_closed = True
        if self._reading.acquire(blocking=False):
            try:
                if self._chunks is not None:
                    self._chunks.close()
            finally:
                self._reading.release()

    def whole(self) -> Answer:
        """All events of the first choice."""
        return self.answers()[0]

    def answers(self) -> list[Answer]:
        """All events by choice; waits for a place among the answers that are waited for."""
        with self._ready.server.clients.place(self._course.seconds_left), self:
            for _ in self:
                pass
            return list(self._course.answers())

    def _next_chunk(self) -> Any:
        with self._reading:
            if self._course.is_closed or self._course.is_late:
                return None
            try:
                with self._ready.server.errors(has_begun=True):
                    return next(self._chunks, None)
            except ServerError as error:
                self._course.forgive(error)
                return None


class AsyncServerTold:
    """The twin of :class:`ServerTold`."""

    def __init__(self, ready: ServerReady) -> None:
        self._ready = ready
        self._course = _Course(ready)
        self._chunks: Any = None

    async def __aenter__(self) -> Self:
        with self._ready.server.errors(), sending():
            if not self._course.is_closed:
                mine = await self._ready.server.clients.of_loop()
                self._chunks = await self._ready.sent_by(mine.client)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        if self._chunks is not None:
            await self._chunks.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer:
        while not self._course.is_over:
            events = self._course.take(await self._next_chunk())
            if events:
                return events
        raise StopAsyncIteration

    def close(self) -> None:
        """The loop that reads closes the response, at its next chunk."""
        self._course.is_closed = True

    async def whole(self) -> Answer:
        """All events of the first choice."""
        return (await self.answers())[0]

    async def answers(self) -> list[Answer]:
        """As :meth:`ServerTold.answers`."""
        mine = await self._ready.server.clients.of_loop()
        async with mine.place(self._course.seconds_left), self:
            async for _ in self:
                pass
            return list(self._course.answers())

    async def _next_chunk(self) -> Any:
        if self._course.is_closed or self._course.is_late:
            return None
        try:
            with self._ready.server.errors(has_begun=True):
                return await anext(self._chunks, None)
        except ServerError as error:
            self._course.forgive(error)
            return None
