"""Words are exchanged wherever they stand, and nothing else is."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest

from eft_integrations.tiny import calling, reading, records, styles
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.swaps import swapped

_WORD = re.compile(r"[^\W\d_]+")
_DRAWS = (reading.reading, records.noted, records.varied, calling.errand_call, calling.varied_call)


@pytest.mark.parametrize("draw", _DRAWS)
def test_an_exchange_is_one_to_one_and_keeps_the_form(draw: Callable[[Random], Exercise]) -> None:
    num_changed = 0
    for seed in range(60):
        rng = Random(seed)
        text = styles.spoken([draw(rng)], rng)
        other = swapped(text, rng)
        assert _WORD.sub("", other) == _WORD.sub("", text)
        pairs = {
            (one.lower(), two.lower())
            for one, two in zip(_WORD.findall(text), _WORD.findall(other), strict=True)
        }
        assert len(dict(pairs)) == len(pairs) == len({two for _, two in pairs})
        num_changed += other != text
    assert num_changed > 20


def test_what_finds_a_value_stays() -> None:
    text = (
        '<|im_start|>user\nThe colour of the boat is purple: {"colour": string}<|im_end|>\n'
        '<|im_start|>assistant\n{"colour": "purple"}<|im_end|>\n'
    )
    other = swapped(text, Random(0))
    value = re.search(r'"colour": "(\w+)"', other)
    assert value
    assert value[1] != "purple"
    assert other == text.replace("purple", value[1])


def test_an_answer_that_copies_nothing_stays() -> None:
    text = "<|im_start|>user\nWhere?<|im_end|>\n<|im_start|>assistant\nUnknown.<|im_end|>\n"
    assert swapped(text, Random(0)) == text
