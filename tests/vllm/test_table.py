"""The table of coefficients is right for whatever vLLM does with its slots."""

from __future__ import annotations

import pytest
import torch

from eft_integrations import Mixture
from eft_integrations.mixture import resolve
from eft_integrations.rule import Layout
from eft_integrations.vllm.composite import Speakers
from eft_integrations.vllm.packing import pack, unpack
from eft_integrations.vllm.table import Table
from eft_integrations.wire import to_wire
from tests.vllm.asking import ONE

STARTS = torch.tensor([0, 2, 3, 6], dtype=torch.int32)


def table() -> Table:
    return Table(Speakers(roles=ONE, default=Mixture(alpha=1.0)), 4, torch.device("cpu"))


def row(mixture: Mixture) -> torch.Tensor:
    return torch.tensor(Layout(ONE).row(resolve(mixture, ONE)))


def filled() -> Table:
    """Slots 0, 1 and 2 with alphas 0, 1 and 2; the last one has a filter."""
    made = table()
    for slot, top_p in enumerate((None, None, 0.5)):
        made.write(slot, to_wire(Mixture(alpha=float(slot), filter_top_p=top_p)))
    made.flush()
    return made


def test_every_token_has_the_row_of_its_request() -> None:
    rows = filled().spread(STARTS, 6)
    expected = [Mixture(alpha=0.0)] * 2 + [Mixture(alpha=1.0)]
    expected += [Mixture(alpha=2.0, filter_top_p=0.5)] * 3
    assert torch.equal(rows, torch.stack([row(mixture) for mixture in expected]))


def test_padding_takes_the_last_row() -> None:
    rows = filled().spread(STARTS, 8)
    assert torch.equal(rows[6:], rows[5].expand(2, -1))


def test_slots_may_come_in_any_order() -> None:
    rows = filled().spread(STARTS, 6, torch.tensor([1, 2, 0]))
    assert torch.equal(rows[0], row(Mixture(alpha=1.0)))
    assert torch.equal(rows[5], row(Mixture(alpha=0.0)))


def test_requests_change_places_with_all_they_have() -> None:
    made = filled()
    made.swap(0, 2)
    made.clear(2)
    made.flush()
    assert torch.equal(made.spread(STARTS, 1)[0], row(Mixture(alpha=2.0, filter_top_p=0.5)))
    assert made.extras


def test_a_filter_costs_nothing_once_its_request_is_gone() -> None:
    made = filled()
    assert made.extras == {("amount", "tuned"), ("filter_top_p", "")}
    made.clear(2)
    made.flush()
    assert made.extras == frozenset()


def test_before_any_request_memory_is_measured_with_every_filter_and_mask() -> None:
    made = table()
    masks = {(kind, role) for kind in ("min_ratio", "top_p") for role in ONE.available}
    assert made.extras == {("amount", "tuned"), ("filter_top_p", ""), *masks}
    made.write(0, None)
    made.flush()
    assert made.extras == frozenset()


def test_who_says_nothing_takes_the_default() -> None:
    made = table()
    made.write(0, None)
    made.flush()
    assert torch.equal(made.spread(STARTS, 1)[0], row(Mixture(alpha=1.0)))


def test_a_model_of_another_dtype_keeps_its_coefficients_exact() -> None:
    torch.set_default_dtype(torch.bfloat16)
    try:
        made = table()
        made.write(0, {"eft_alpha": 0.3})
    finally:
        torch.set_default_dtype(torch.float32)
    made.flush()
    assert torch.equal(made.spread(STARTS, 1)[0], row(Mixture(alpha=0.3)))


def test_what_nobody_checked_never_stops_the_worker() -> None:
    made = table()
    made.write(0, {"eft_alpha": "much"})
    made.flush()
    assert torch.equal(made.spread(STARTS, 1)[0], row(Mixture(alpha=1.0)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_row_arrives_bit_for_bit_beside_its_states(dtype: torch.dtype) -> None:
    rows = torch.randn(5, 11) * 1000
    states = [torch.randn(5, size).to(dtype) for size in (8, 3, 1)]
    chosen = torch.tensor([4, 0, 2])
    found, numbers = unpack(pack(states, rows)[chosen], [8, 3, 1])
    assert torch.equal(numbers, rows[chosen])
    assert all(torch.equal(a, b[chosen]) for a, b in zip(found, states, strict=True))
