"""A mixture survives its journey."""

from __future__ import annotations

import itertools
import math
from contextlib import suppress
from typing import Any

import pytest

from eft_integrations import Mixture, Plausibility
from eft_integrations.errors import EFTError
from eft_integrations.wire import WIRE_KEYS, from_wire, to_wire
from tests.mixtures import MIXTURES

ROLES = ("base", "self", "role", "min_ratio", "top_p")
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
        ({"eft_mask": '{"self": "base"}'}, "unknown keyword of Plausibility 'self'"),
        ({"eft_alpha": "9" * 5000}, "eft_alpha must be a number or the JSON text"),
        ({"eft_alpha": "[" * 100_000}, "eft_alpha must be a number or the JSON text"),
        ({"eft_mask": '{"role": "base"}'}, "exactly one of min_ratio and top_p"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(EFTError, match=says):
        from_wire(arguments)


def test_whatever_is_said_is_a_mixture_or_an_error_of_ours() -> None:
    values: list[object] = [True, -1, 10**30, 0.5, math.nan, "", "x", "null", "[]", "{}", [], {}]
    values += [f'{{"{key}": {value}}}' for key in ROLES for value in ("1", "null", '"x"', "{}")]
    for key, value, other in itertools.product(WIRE_KEYS, values, values[::4]):
        with suppress(EFTError):
            from_wire({key: value, "eft_mask": other})


def test_a_long_value_is_told_in_a_short_message() -> None:
    with pytest.raises(EFTError) as caught:
        from_wire({"eft_alpha": "x" * 1_000_000})
    assert len(str(caught.value)) < 2000
