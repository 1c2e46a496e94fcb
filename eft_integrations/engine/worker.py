"""The one thread that owns torch, and the ways in and out of it.

The only file that starts a thread; ``stream.py`` and ``engine.py`` wait for its events.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Seq
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from eft_integrations.engine.core import Core
from eft_integrations.engine.sequence import Sequence
from eft_integrations.errors import EFTError, EngineClosed, Overloaded
from eft_integrations.openmp import IS_KNOWN

T = TypeVar("T")


def apart(call: Callable[[], T]) -> T:
    """The result of a call in a thread of its own, which ends with it.

    Every thread that runs torch on a CPU gets a team of OpenMP threads for life. libgomp counts
    the threads of all teams, and where they are more than the cores it puts them to sleep between
    operations: decoding small models then takes twice as long. What is loaded here leaves none.
    Where nobody has said how long threads that are awake wait, they had better sleep (openmp.py).
    """
    if not IS_KNOWN:
        return call()
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="eft-load", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed.pop()
    return done.pop()


class Worker:
    """Runs ``core.step`` while there is work. Every method may be called from any thread."""

    def __init__(self, core: Core, *, max_queue: int) -> None:
        self._core = core
        self._max_queue = max_queue
        self._inbox: deque[Sequence] = deque()
        self._backlog: deque[Sequence] = deque()  # batches and faces' calls, which wait for room
        self._wake = threading.Condition()
        self._is_closing = False
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._loop, name="eft-engine", daemon=True)
        self._thread.start()

    def submit(self, sequence: Sequence) -> None:
        """Queue one request; raises ``Overloaded`` where the queue is full."""
        with self._open():
            if self._num_queued >= self._limit:
                raise Overloaded(
                    f"the queue is full: {self._num_queued} requests run or wait, the limit is "
                    f"{self._limit} (max_slots + max_queue); try again later, send a batch, which "
                    f"waits, as stream(waits=True) does, or raise max_queue"
                )
            sequence.start_clock(time.monotonic())
            self._inbox.append(sequence)

    def submit_batch(self, sequences: Seq[Sequence]) -> None:
        """Queue many; they enter as room comes free."""
        with self._open():
            for sequence in sequences:
                sequence.start_clock(time.monotonic())
            self._backlog.extend(sequences)

    def cancel(self, sequences: Seq[Sequence]) -> None:
        """End these at the next step; harmless for those that have ended."""
        for sequence in sequences:
            sequence.is_cancelled = True
        if os.getpid() == self._pid:
            with self._wake:
                self._wake.notify_all()

    def close(self) -> None:
        """Fail what is open with ``EngineClosed`` and stop the thread."""
        if os.getpid() != self._pid:
            return
        with self._wake:
            self._is_closing = True
            self._wake.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def refuse_if_closed(self) -> None:
        """Raise ``EngineClosed`` after ``close`` and in a forked child."""
        self.refuse_fork()
        if self._is_closing or not self._thread.is_alive():
            raise EngineClosed("this engine is closed; build a new one")

    def refuse_fork(self) -> None:
        """Raise ``EngineClosed`` in a forked child, which has no thread to wait for."""
        if os.getpid() != self._pid:
            raise EngineClosed(
                f"this engine belongs to process {self._pid}, and this is its fork {os.getpid()}; "
                f"build the engine after forking, or start processes with 'spawn'"
            )

    @property
    def num_waiting(self) -> int:
        return len(self._inbox) + len(self._backlog) + len(self._core.scheduler.waiting)

    @property
    def _limit(self) -> int:
        return self._core.scheduler.max_slots + self._max_queue

    @property
    def _num_queued(self) -> int:
        scheduler = self._core.scheduler
        return len(self._inbox) + len(scheduler.waiting) + len(scheduler.running)

    @contextmanager
    def _open(self) -> Iterator[None]:
        """The lock of an open engine; wakes the loop. Asks before locking: a fork never unlocks."""
        self.refuse_if_closed()
        with self._wake:
            self.refuse_if_closed()
            yield
            self._wake.notify_all()

    def _loop(self) -> None:
        """Take in, step, and sleep when there is nothing; a consumer never hangs on a dead loop."""
        reason = partial(
            EngineClosed, "the engine was closed while this request was open; build a new one"
        )
        try:
            while self._take_in():
                self._core.step()
        except BaseException as error:
            told = f"the engine died of {type(error).__name__}: {error}; build a new one"
            reason = partial(EngineClosed, told)
            raise
        finally:
            self._drain(reason)

    def _take_in(self) -> bool:
        """Wait for work and hand it to the scheduler; False once the engine is closing."""
        with self._wake:
            self._wake.wait_for(self._has_work)
            scheduler = self._core.scheduler
            scheduler.waiting.extend(self._inbox)
            self._inbox.clear()
            self._let_in()
            return not self._is_closing

    def _let_in(self) -> None:
        """From the backlog: as many as there is room for, and those that are over already."""
        scheduler = self._core.scheduler
        while self._backlog and self._num_queued < self._limit:
            scheduler.waiting.append(self._backlog.popleft())
        now = time.monotonic()
        if any(sequence.is_over(now) for sequence in self._backlog):
            scheduler.waiting.extend(s for s in self._backlog if s.is_over(now))
            self._backlog = deque(s for s in self._backlog if not s.is_over(now))

    def _has_work(self) -> bool:
        scheduler = self._core.scheduler
        busy = self._inbox or self._backlog or scheduler.waiting or scheduler.running
        return bool(busy) or self._is_closing

    def _drain(self, reason: Callable[[], EFTError]) -> None:
        """Tell everyone who waits; an error of its own for each, since raising marks it."""
        with self._wake:
            self._is_closing = True
            rest = [*self._inbox, *self._backlog]
            self._inbox.clear()
            self._backlog.clear()
        for sequence in rest:
            sequence.send(reason())
        self._core.abort(reason)
