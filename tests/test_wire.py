"""A mixture survives its journey."""

from __future__ import annotations

from typing import Any

import pytest

from eft_integrations import Mixture, Plausibility
from eft_integrations.errors import EFTError
from eft_integrations.wire import from_wire, to_wire
from tests.mixtures import MIXTURES

MASKED = Mixture(alpha=-1.5, mask=Plausibility(role="tuned", top_p=0.5))


@pytest.mark.parametrize("mixture", [*(mixture for _, mixture in MIXTURES), MASKED], ids=repr)
def test_a_mixture_arrives_as_it_left(mixture: Mixture) -> None:
    sent = to_wire(mixture)
    assert all(isinstance(value, (str, float)) for value in sent.values())
    assert from_wire(sent) == mixture


def test_a_mapping_may_stay_one_where_no_wire_flattens_it() -> None:
    assert from_wire({"eft_alpha": {"helpful": 0.7}}) == Mixture(alpha={"helpful": 0.7})


def test_other_keys_are_passed_by_and_nothing_said_is_no_mixture() -> None:
    assert from_wire(None) is from_wire({"seed_of_theirs": 3, "eft_alpha": None}) is None
    assert to_wire(Mixture()) == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"eft_alpa": 1.0}, "did you mean 'eft_alpha'"),
        ({"eft_alpha": "much"}, "eft_alpha must be a number or the JSON text of a mapping"),
        ({"eft_alpha": "[1, 2]"}, "alpha must be a finite number"),
        ({"eft_alpha": "NaN"}, "alpha must be a finite number"),
        ({"eft_alpha": 1e9}, "alpha must be at least -1000 and at most 1000"),
        ({"eft_alpha": 1.0, "eft_beta": 1.0}, "exclude each other"),
        ({"eft_weights": 3}, "weights must be a mapping"),
        ({"eft_filter_top_p": 0}, "filter_top_p must be above 0"),
        ({"eft_mask": 0.1}, "eft_mask must be a mapping such as"),
        ({"eft_mask": '{"rolle": "base"}'}, "did you mean 'role'"),
        ({"eft_mask": '{"role": "base"}'}, "exactly one of min_ratio and top_p"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(EFTError, match=says):
        from_wire(arguments)
