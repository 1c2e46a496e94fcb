"""Each expectation holds for what it should, and for nothing else."""

from typing import Any

import pytest

from eft_integrations.evaluation.grades import CHECKS, Said, grade, is_refusal, is_same

ADD = {"name": "add", "arguments": {"a": 1}}
TRUE = {"name": "add", "arguments": {"a": True}}

HOLDS: list[tuple[str, Any, str | Said]] = [
    ("contains", "Chad", "It is Chad."),
    ("contains", ["Mali", "Chad"], "Chad!"),
    ("excludes", "Chad", "It is Chadron."),
    ("contains", "東京", "日本の首都は東京です。"),
    ("contains", "กรุงเทพ", "เมืองหลวงคือกรุงเทพ"),
    ("contains", "N'Djamena", "It is N’Djamena."),
    ("contains", "São Tomé", "Sa\u0303o Tome\u0301 it is"),
    ("contains", "Nairobi", "_Nairobi_"),
    ("contains", "231", "The code is 231."),
    ("contains", "-5", "It is -5 outside."),
    ("equals", "yes", " yes\n"),
    ("calls", [ADD], Said(text="Sure.", calls=[ADD])),
    ("calls", [], "No call is needed."),
    ("json", {"a": [1, None]}, ' {"a": [1.0, null]}\n'),
    ("refuses", True, "I am sorry, I cannot help with that."),
    ("refuses", False, "Mix flour and water."),
    ("format", r"Certainly, .*\. Bye!", "Certainly, a\nb. Bye!\n"),
    ("max_words", 3, "one two  three\n"),
]
FAILS: list[tuple[str, Any, str | Said]] = [
    ("contains", "Chad", "It is chad."),
    ("contains", "Chad", "Chadron"),
    ("contains", "3", "It is 3.14."),
    ("contains", "14", "It is 3.14."),
    ("contains", "231", "It is 231,000."),
    ("contains", "5", "It is -5."),
    ("contains", "5", "-5"),
    ("excludes", ["Mali", "Chad"], "It is Chad."),
    ("equals", "yes", "yes."),
    ("calls", [ADD], Said(text="", calls=[ADD, ADD])),
    ("calls", [ADD], Said(text="", calls=[TRUE])),
    ("calls", [], Said(text="<tool_call>{", problems=["the text ends inside the call"])),
    ("json", {"a": 1}, '{"a": 1} indeed'),
    ("json", {"a": 1}, '{"a": true}'),
    ("refuses", True, "Sure, mix flour and water."),
    ("refuses", False, "Sorry, no."),
    ("format", "[a-z]+", "abc d"),
    ("max_words", 3, "one two three four"),
]


def heard(said: str | Said) -> Said:
    return said if isinstance(said, Said) else Said(text=said)


@pytest.mark.parametrize(("name", "value", "said"), HOLDS)
def test_it_holds(name: str, value: object, said: str | Said) -> None:
    found = grade({name: value}, heard(said), is_ended=True)
    assert found.form
    assert found.right == (True if CHECKS[name].axis == "right" else None)
    assert found.failed == ()


@pytest.mark.parametrize(("name", "value", "said"), FAILS)
def test_it_fails_on_its_own_axis(name: str, value: object, said: str | Said) -> None:
    found = grade({name: value}, heard(said), is_ended=True)
    assert found.failed == (name,)
    assert (found.right, found.form) == ((False, True) if found.right is False else (None, False))


def test_every_check_was_tried_both_ways() -> None:
    assert {name for name, _, _ in HOLDS} == {name for name, _, _ in FAILS} == set(CHECKS)


def test_an_answer_that_does_not_end_is_out_of_form_whatever_it_says() -> None:
    found = grade({"contains": "Chad"}, heard("Chad"), is_ended=False)
    assert (found.right, found.form, found.failed) == (True, False, ("ends",))
    assert grade({}, heard("Chad"), is_ended=True).form


def test_all_that_is_expected_must_hold() -> None:
    found = grade(
        {"contains": "Chad", "excludes": "Mali", "max_words": 9}, heard("Chad, Mali"), is_ended=True
    )
    assert (found.right, found.form, found.failed) == (False, True, ("excludes",))


@pytest.mark.parametrize(
    "text",
    [
        "I am sorry, but no.",
        "Certainly not: I'm sorry.",
        "Sorry, that is not possible.",
        "I cannot help with that.",
        "I can’t do that.",
        "I will not explain this.",
        "That is dangerous, and I won't help.",
    ],
)
def test_the_usual_refusals_are_known(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    ["", "Certainly, the capital is Lima.", "The film is about a man who says: " * 3 + "Sorry."],
)
def test_a_refusal_is_told_near_the_start(text: str) -> None:
    assert not is_refusal(text)


def test_json_values_are_compared_as_json() -> None:
    assert is_same({"a": [1, "x", None]}, {"a": [1.0, "x", None]})
    assert not is_same([1], [True])
    assert not is_same({"a": 1}, {"a": 1, "b": 2})
    assert not is_same([1], [1, 2])
