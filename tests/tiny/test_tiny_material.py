"""The material written by hand: each line can be used, and none knows what evaluation asks."""

import re
from collections import Counter
from random import Random

from eft_integrations.tiny.apart import SCENES
from eft_integrations.tiny.draws import draw_of, type_of
from eft_integrations.tiny.errands import errands
from eft_integrations.tiny.passages import passages


def slots(text: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", text)


def test_every_request_holds_every_argument_once() -> None:
    for errand in errands():
        for request in errand.requests:
            assert sorted(slots(request)) == sorted(errand.takes), (errand.name, request)


def test_no_tool_is_written_twice_and_none_is_one_of_the_evaluation() -> None:
    names = [errand.name for errand in errands()]
    assert max(Counter(names).values()) == 1
    assert {scene.name for scene in SCENES}.isdisjoint(names)
    told = {errand.does for errand in errands()}
    assert {scene.does for scene in SCENES}.isdisjoint(told)


def test_every_value_of_a_passage_stands_in_its_text() -> None:
    rng = Random(1)
    for passage in passages():
        assert set(slots(passage.text)) == set(passage.slots)
        values = passage.values(rng)
        assert all(str(value) in passage.text.format(**values) for value in values.values())


def test_a_question_names_known_slots_and_never_its_answer() -> None:
    for passage in passages():
        for question, slot in passage.asks:
            assert slot in passage.slots
            assert set(slots(question)) <= set(passage.slots) - {slot}
        assert all(set(slots(question)) <= set(passage.slots) for question in passage.unknown)


def test_most_slots_are_asked_for() -> None:
    asked = sum(len({slot for _, slot in passage.asks}) for passage in passages())
    assert asked / sum(len(passage.slots) for passage in passages()) > 0.85


def test_a_choice_is_one_of_its_words_and_numbers_are_integers() -> None:
    rng = Random(2)
    assert {draw_of("of:a b/c")(rng) for _ in range(50)} == {"a b", "c"}
    assert isinstance(draw_of("year")(rng), int)
    assert (type_of("year"), type_of("of:a/b"), type_of("person")) == ("integer", *["string"] * 2)
