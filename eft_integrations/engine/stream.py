"""Events → streams and generations: one translator, two thin loops over it."""

from __future__ import annotations

import asyncio
import queue
import threading
import weakref
from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from eft_integrations.engine.sequence import Item, Sequence
from eft_integrations.errors import EFTError, InvalidRequest
from eft_integrations.request import Generation, Score, TokenEvent

if TYPE_CHECKING:
    from eft_integrations.engine.engine import Engine


class Collector:
    """The items of one sequence, folded into its result."""

    def __init__(self) -> None:
        self.events: list[TokenEvent] = []
        self.score: Score | None = None
        self.error: EFTError | None = None
        self.done = threading.Event()

    def take(self, item: Item) -> None:
        if isinstance(item, TokenEvent):
            self.events.append(item)
        elif isinstance(item, Score):
            self.score = item
        else:
            self.error = item
        if is_last(item):
            self.done.set()

    @property
    def is_done(self) -> bool:
        return self.done.is_set()

    def generation(self, sequence: Sequence) -> Generation:
        """The finished text; raises what ended it."""
        if self.error is not None:
            raise self.error
        last = self.events[-1]
        assert last.finish_reason is not None
        assert last.usage is not None
        tokens = [event for event in self.events if event.token_id is not None]
        sampling = sequence.request.sampling
        return Generation(
            text="".join(event.text for event in self.events),
            token_ids=tuple(e.token_id for e in tokens if e.token_id is not None),
            finish_reason=last.finish_reason,
            usage=last.usage,
            logprobs=tuple(e.logprob or 0.0 for e in tokens) if sampling.wants_logprobs else None,
            top_logprobs=tuple(e.top_logprobs or {} for e in tokens)
            if sampling.top_logprobs
            else None,
            contributions=tuple(e.contributions or {} for e in tokens)
            if sequence.request.contributions
            else None,
            stats=last.stats or {},
        )


class Gathering:
    """Several sequences that are waited for together: the batch behind ``generate``."""

    def __init__(self, rows: Seq[Seq[Sequence]]) -> None:
        self.rows = rows
        self.sequences = [sequence for row in rows for sequence in row]
        self._collectors = [Collector() for _ in self.sequences]
        self._num_open = len(self.sequences)

    @property
    def is_done(self) -> bool:
        return self._num_open == 0

    def take(self, number: int, item: Item) -> None:
        """One item of sequence ``number``; raises at the first that failed."""
        collector = self._collectors[number]
        collector.take(item)
        if collector.error is not None:
            raise collector.error
        self._num_open -= collector.is_done

    def generations(self) -> list[Generation]:
        finished = (c.generation(s) for c, s in zip(self._collectors, self.sequences, strict=True))
        return [_mirror([next(finished) for _ in row]) for row in self.rows]

    def scores(self) -> list[Score]:
        return [collector.score for collector in self._collectors if collector.score is not None]


def _mirror(choices: Seq[Generation]) -> Generation:
    """The first choice, with all of them inside where there are several."""
    return replace(choices[0], choices=tuple(choices)) if len(choices) > 1 else choices[0]


class Stream:
    """An answer as it is written: an iterator of :class:`TokenEvent` and a context manager.

    Breaking off, ``close`` or dropping the stream ends the computation at the next token.
    """

    def __init__(self, engine: Engine, start: Callable[[Callable[[Item], None]], Sequence]) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._collector = Collector()
        self._is_over = False
        self._sequence = start(partial(_post_and_collect, self._queue.put, self._collector))
        # Holds the sequence, not the stream: a stream that is dropped unread is cancelled.
        self._finalizer = weakref.finalize(self, engine.cancel, [self._sequence])
        self._finalizer.atexit = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> TokenEvent:
        self._engine.refuse_fork()
        item = None if self._is_over else self._queue.get()
        if item is None:
            self._queue.put(None)  # for whoever else reads this stream
            raise StopIteration
        self._is_over = is_last(item)
        return _as_event(item)

    def set(self, **mixture: object) -> int:
        """Replace the whole mixture from the next token not yet computed; returns its index.

        An index beyond the last token means that the text had ended. Takes the mixture keywords
        of ``Engine.generate``. Raises ``UnknownOption`` or ``InvalidRequest``; the stream then
        goes on as it was.
        """
        return self._engine.set_mixture(self._sequence, mixture)

    def cancel(self) -> None:
        """End the computation at the next token; iteration goes on to the event that says so."""
        self._finalizer()

    def close(self) -> None:
        """End here: the slot is free at the next step, iteration stops at once."""
        self._is_over = True
        self._finalizer()

    @property
    def result(self) -> Generation:
        """The generation; waits for its end. Raises what ended it, if an error did."""
        self._engine.refuse_fork()
        self._collector.done.wait()
        return self._collector.generation(self._sequence)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncStream:
    """The twin of :class:`Stream` for ``async with`` and ``async for``; submits on entering."""

    def __init__(
        self, engine: Engine, prepare: Callable[[], Callable[[Callable[[Item], None]], Sequence]]
    ) -> None:
        self._engine = engine
        self._prepare = prepare
        self._queue: asyncio.Queue[Item | None] = asyncio.Queue()
        self._collector = Collector()
        self._is_over = False
        self._is_cancelled = False
        self._started: Sequence | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Submit, unless that was done already."""
        async with self._starting:
            if self._started is None:
                begin = await asyncio.to_thread(self._prepare)
                post = Mailbox(self._queue).post
                self._started = begin(partial(_post_and_collect, post, self._collector))
                self._finalizer = weakref.finalize(self, self._engine.cancel, [self._started])
                self._finalizer.atexit = False
        if self._is_over or self._is_cancelled:  # meanwhile
            self._finalizer()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TokenEvent:
        self._engine.refuse_fork()
        if not self._is_over:
            await self.start()
        item = None if self._is_over else await self._queue.get()
        if item is None:
            self._queue.put_nowait(None)  # for whoever else reads this stream
            raise StopAsyncIteration
        self._is_over = is_last(item)
        return _as_event(item)

    def set(self, **mixture: object) -> int:
        """As :meth:`Stream.set`."""
        return self._engine.set_mixture(self._running, mixture)

    def cancel(self) -> None:
        """As :meth:`Stream.cancel`."""
        self._is_cancelled = True
        if self._started is not None:
            self._finalizer()

    def close(self) -> None:
        """As :meth:`Stream.close`."""
        self._is_over = True
        if self._started is not None:
            self._finalizer()

    @property
    def result(self) -> Generation:
        """The generation, once the stream has ended; raises ``InvalidRequest`` before."""
        if not self._collector.is_done:
            raise InvalidRequest("the stream has not ended; iterate to its end before .result")
        return self._collector.generation(self._running)

    @property
    def _running(self) -> Sequence:
        if self._started is None:
            raise InvalidRequest("the stream has not begun; use it in 'async with' first")
        return self._started

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        self.close()
        if kind is None:
            while not self._collector.is_done:  # a step at most; then there is a result
                await self._queue.get()


Letter = TypeVar("Letter")


class Mailbox(Generic[Letter]):
    """Posts from the engine's thread into a queue of the event loop that made it."""

    def __init__(self, letters: asyncio.Queue[Letter]) -> None:
        self._letters = letters
        self._loop = asyncio.get_running_loop()

    def post(self, letter: Letter) -> None:
        """Harmless once the loop is closed: nobody is left to read."""
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._letters.put_nowait, letter)
            except RuntimeError:
                if not self._loop.is_closed():
                    raise


def is_last(item: Item) -> bool:
    """Whether nothing can follow this item."""
    return not isinstance(item, TokenEvent) or item.finish_reason is not None


def _post_and_collect(
    post: Callable[[Item | None], None], collector: Collector, item: Item
) -> None:
    """On the engine's thread: collected here, a result is whole whatever becomes of its reader.

    A None follows the last item, so that no reader waits for more.
    """
    collector.take(item)
    post(item)
    if is_last(item):
        post(None)


def _as_event(item: Item) -> TokenEvent:
    if isinstance(item, EFTError):
        raise item
    assert isinstance(item, TokenEvent), "a stream is sent token events and errors only"
    return item
