"""What a process holds is counted; how much an engine takes depends on the machine."""

from __future__ import annotations

import sys
from math import isfinite
from pathlib import Path

import pytest
import torch

from eft_integrations import tiny
from eft_integrations.benchmark import memory
from eft_integrations.benchmark.footprint import allocated, most_resident, own, resident, watched

SIZE = 128 << 20


def test_what_is_own_is_resident_and_counts_for_the_most() -> None:
    assert 0 < own() <= resident() <= most_resident()


def test_what_is_held_while_watched_is_seen() -> None:
    with watched() as most:
        before = most[0]
        held = torch.ones(SIZE, dtype=torch.uint8)
    assert most[0] - before >= 0.9 * held.numel()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell them apart")
def test_pages_of_a_file_are_resident_but_not_own(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(SIZE))
    mapped = torch.from_file(str(path), shared=False, size=SIZE, dtype=torch.uint8)
    before = resident(), own()
    assert not mapped.any()
    assert resident() - before[0] >= 0.9 * SIZE
    assert own() - before[1] <= 0.1 * SIZE


@pytest.mark.skipif(allocated() is None, reason="this allocator does not count")
def test_the_allocator_counts_what_is_in_use_and_not_what_was() -> None:
    def now() -> int:
        return allocated() or 0

    before = now()
    held = torch.ones(SIZE, dtype=torch.uint8)
    assert abs(now() - before - SIZE) <= 0.1 * SIZE
    del held
    assert now() - before <= 0.1 * SIZE


def test_every_count_is_a_figure_with_its_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_apart", lambda call, *arguments: call(*arguments))
    monkeypatch.setattr(memory, "_NUM_WARM", memory._BATCH)
    monkeypatch.setattr(memory, "_NUM_REQUESTS", memory._BATCH)
    figures = [*memory.memory_figures(tiny.trio(), "float32")]
    assert [one.unit for one in figures][:4] == ["×", "×", "MB", "blocks"]
    assert len(figures) == (4 if allocated() is None else 6)
    assert all(isfinite(one.value) and one.low <= one.value <= one.high for one in figures)


def test_growth_by_each_request_is_steady_and_a_single_step_is_not() -> None:
    assert memory._steady([0, 1, 2, 3, 4]) == 4
    assert memory._steady([0, 0, 3, 3, 3]) == 0
