"""Pages of a file that a tensor was read from, given back once nobody needs them.

A checkpoint is not read but mapped: its tensors are views, and a page that was looked at stays with
the process until the last of them has gone. Embeddings stay plain, so that packed weights would
lie beside the whole file, and peak memory would be twice the model.
"""

from __future__ import annotations

import ctypes
import mmap
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

_SMAPS = Path("/proc/self/smaps")
# "7f0c03600000-7f0c16c99000 rw-p 00000000 fe:00 2147951    /models/base/model.safetensors"
_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ (\d+)")


@dataclass(frozen=True)
class MappedFiles:
    """Where this process's memory is a file's, page for page: nothing was written there.

    So what is given back is read again when somebody looks, and no value can change. Empty where
    the system does not say (it does on Linux): then nothing is given back.
    """

    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def now(cls) -> MappedFiles:
        """As it is at this moment; what is written to later must not be given back."""
        if sys.platform != "linux" or not _SMAPS.is_file():
            return cls()
        return cls(tuple(_unchanged(_SMAPS.read_text("utf-8", "replace").splitlines())))

    def give_back(self, tensor: Tensor) -> int:
        """Bytes that are no longer held for a contiguous tensor: its whole pages, or none."""
        start = tensor.data_ptr()
        end = start + tensor.numel() * tensor.element_size()
        first, last = -(-start // mmap.PAGESIZE), end // mmap.PAGESIZE
        is_file = any(low <= start and end <= high for low, high in self.spans)
        if not (is_file and tensor.is_contiguous() and first < last):
            return 0
        place, size = first * mmap.PAGESIZE, (last - first) * mmap.PAGESIZE
        is_refused = ctypes.CDLL(None).madvise(
            ctypes.c_void_p(place), ctypes.c_size_t(size), mmap.MADV_DONTNEED
        )
        return 0 if is_refused else size  # what is locked in memory stays


def _unchanged(lines: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Start and end of every mapping of a file (inode not 0) without a page of its own."""
    span = (0, 0)
    is_file = False
    for line in lines:
        if head := _HEAD.match(line):
            span = int(head[1], 16), int(head[2], 16)
            is_file = head[3] != "0"
        elif line.startswith(("Anonymous:", "Swap:")):
            is_file = is_file and line.split()[1] == "0"
        elif is_file and line.startswith("VmFlags:"):  # the last line of a mapping
            yield span
