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


def test_a_key_stays_unless_the_user_says_it() -> None:
    text = (
        '<|im_start|>user\nThe boat is purple. Fill {{"colour": string}}{said}<|im_end|>\n'
        '<|im_start|>assistant\n{{"colour": "purple"}}<|im_end|>\n'
    )
    told = re.compile(r'"(\w+)": "(\w+)"')
    only_meant = [told.findall(swapped(text.format(said=""), Random(n)))[0] for n in range(20)]
    assert {key for key, _ in only_meant} == {"colour"}
    assert "purple" not in {value for _, value in only_meant}
    with_word = text.format(said=" with its colour")
    exchanged = [swapped(with_word, Random(n)) for n in range(20)]
    assert any("colour" not in one for one in exchanged)


def test_an_answer_that_copies_nothing_stays() -> None:
    text = "<|im_start|>user\nWhere?<|im_end|>\n<|im_start|>assistant\nUnknown.<|im_end|>\n"
    assert swapped(text, Random(0)) == text
