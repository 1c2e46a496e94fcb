"""What this process holds of memory, by whose count.

The system counts resident pages. Those of mapped files are among them, and it takes those back
when it needs them; the rest is the process's own. The allocator counts what is in use of what it
holds: a leak grows there as well, a heap that only lies scattered does not.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import psutil

_EVERY = 0.002  # seconds
_STATUS = Path("/proc/self/status")


def resident() -> int:
    """Bytes, as the system counts them."""
    return int(psutil.Process().memory_info().rss)


def own() -> int:
    """Resident bytes but pages of files; all of them where the system does not tell them apart."""
    held = psutil.Process().memory_info()
    return int(held.rss - held.shared) if sys.platform == "linux" else int(held.rss)


def most_resident() -> int:
    """The most since this process began.

    On Linux ``ru_maxrss`` begins with what the process held that started this one.
    """
    if _STATUS.is_file():
        lines = _STATUS.read_text("utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


@contextmanager
def watched() -> Iterator[list[int]]:
    """A list whose one number is the most that ``own`` was inside; looks every 2 ms."""
    most = [own()]
    is_over = Event()

    def watch() -> None:
        while not is_over.wait(_EVERY):
            most[0] = max(most[0], own())

    thread = Thread(target=watch, name="eft-watch", daemon=True)
    thread.start()
    try:
        yield most
    finally:
        is_over.set()
        thread.join()
        most[0] = max(most[0], own())


class _Counts(ctypes.Structure):
    """``struct mallinfo2`` of glibc."""

    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in _names.split()]


def allocated() -> int | None:
    """Bytes in use of glibc's heaps and of its mappings; None where there is no such count.

    Python's own small objects lie elsewhere: ``sys.getallocatedblocks`` counts them.
    """
    try:
        count = ctypes.CDLL(None).mallinfo2  # since glibc 2.33
    except (AttributeError, OSError, TypeError):
        return None
    count.restype = _Counts
    counts = count()
    return int(counts.uordblks + counts.hblkhd)
