"""A file's pages are given back, nothing else is, and no value changes."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from eft_integrations.engine import mapped
from eft_integrations.engine.mapped import MappedFiles

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
SIZE = 16 * mmap.PAGESIZE


@pytest.fixture
def tensor(tmp_path: Path) -> Tensor:
    """A view of a file, as safetensors maps it: private, and written to by nobody."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    return torch.from_file(str(path), shared=False, size=SIZE, dtype=torch.uint8)


def pages_of(tensor: Tensor) -> int:
    """Resident bytes of the mapping that a tensor lies in."""
    lines = iter(Path("/proc/self/smaps").read_text("utf-8").splitlines())
    for line in lines:
        head = mapped._HEAD.match(line)
        if head and int(head[1], 16) <= tensor.data_ptr() < int(head[2], 16):
            return next(int(one.split()[1]) * 1024 for one in lines if one.startswith("Rss:"))
    raise AssertionError("it lies in no mapping")


@needs_linux
def test_a_files_pages_are_given_back_and_read_again(tensor: Tensor) -> None:
    before = tensor.clone()
    assert pages_of(tensor) == SIZE
    assert MappedFiles.now().give_back(tensor) == SIZE
    assert pages_of(tensor) == 0
    assert torch.equal(tensor, before)


@needs_linux
def test_only_whole_pages_of_a_part_are_given_back(tensor: Tensor) -> None:
    assert tensor.any()
    part = tensor[1 : 3 * mmap.PAGESIZE]
    assert MappedFiles.now().give_back(part) == 2 * mmap.PAGESIZE
    assert pages_of(tensor) == SIZE - 2 * mmap.PAGESIZE
    assert MappedFiles.now().give_back(tensor[1 : mmap.PAGESIZE]) == 0
    assert MappedFiles.now().give_back(tensor[::2]) == 0


@needs_linux
def test_what_was_written_to_stays(tensor: Tensor) -> None:
    tensor[5] = 77
    assert MappedFiles.now().give_back(tensor) == 0
    assert tensor[5] == 77


def test_memory_that_is_no_file_stays() -> None:
    ones = torch.ones(SIZE)
    assert MappedFiles.now().give_back(ones) == 0
    assert bool((ones == 1).all())


def test_only_files_without_a_page_of_their_own_count() -> None:
    place = "7f0c00000000-7f0c00004000 rw-p 00000000"
    file, memory = f"{place} fe:00 214 /models/a b.safetensors", f"{place} 00:00 0 "
    spans = [
        list(mapped._unchanged([head, f"Anonymous: {own} kB", f"Swap: {out} kB", "VmFlags: rd wr"]))
        for head, own, out in ((file, 0, 0), (file, 4, 0), (file, 0, 4), (memory, 0, 0))
    ]
    assert spans == [[(0x7F0C00000000, 0x7F0C00004000)], [], [], []]


def test_where_the_system_does_not_say_nothing_is_given_back(
    tensor: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "_SMAPS", tmp_path / "smaps")
    assert MappedFiles.now() == MappedFiles()
    assert MappedFiles.now().give_back(tensor) == 0
