"""Vocabularies are compared token by token."""

from __future__ import annotations

import pytest

from eft_integrations.errors import VocabularyMismatch
from eft_integrations.rule import SharedVocabulary

WORDS = {f"w{i}": i for i in range(10)}


def test_padded_heads_are_cut_to_the_shared_ids_and_said() -> None:
    shared = SharedVocabulary.of({"base": WORDS, "tuned": WORDS}, {"base": 16, "tuned": 12}, [9])
    assert shared.size == 10
    assert any("head of base cut from 16 to 10" in note for note in shared.cut)


def test_extra_ids_that_nobody_needs_are_cut() -> None:
    more = {**WORDS, "extra": 10}
    shared = SharedVocabulary.of({"base": WORDS, "tuned": more}, {"base": 10, "tuned": 11}, [9])
    assert shared.size == 10
    assert "1 extra id(s) of tuned cut" in shared.cut


def test_an_extra_id_that_an_end_token_needs_is_refused() -> None:
    more = {**WORDS, "<end>": 10}
    with pytest.raises(VocabularyMismatch, match=r"'<end>'.*below 10.*base 10, tuned 11"):
        SharedVocabulary.of({"base": WORDS, "tuned": more}, {"base": 10, "tuned": 11}, [10])


def test_a_real_mismatch_names_the_first_differing_tokens_and_the_sizes() -> None:
    other = {**{k: v for k, v in WORDS.items() if v != 3}, "x3": 3}
    with pytest.raises(
        VocabularyMismatch, match=r"1 token\(s\) \(id 3: 'w3' / 'x3'; sizes 10 / 10"
    ):
        SharedVocabulary.of({"base": WORDS, "tuned": other}, {"base": 10, "tuned": 10}, [])


def test_equal_vocabularies_lose_nothing() -> None:
    shared = SharedVocabulary.of({"a": WORDS, "b": WORDS}, {"a": 10, "b": 10}, range(10))
    assert shared == SharedVocabulary(size=10, cut=())
