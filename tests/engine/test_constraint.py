"""Constrained output: valid, closed within the budget, and otherwise the model's own."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from eft_integrations import Engine, InvalidRequest, PerRow, Plausibility

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["red", "green"]}, "minItems": 1},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("max_tokens", [24, 32, 48, 64])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_json_closes_before_max_tokens(engine: Engine, max_tokens: int, seed: int) -> None:
    g = engine.generate(
        "Hello", json_schema=PERSON, max_tokens=max_tokens, temperature=1.0, seed=seed
    )
    value = json.loads(g.text)
    assert set(value) == {"name", "age", "tags"}
    assert isinstance(value["age"], int)
    assert value["tags"]
    assert g.finish_reason == "stop"
    assert len(g.token_ids) <= max_tokens


def test_where_no_closing_fits_it_ends_as_length(engine: Engine) -> None:
    g = engine.generate("Hello", json_schema=PERSON, max_tokens=4)
    assert (g.finish_reason, len(g.token_ids)) == ("length", 4)


def test_without_closing_the_text_runs_into_the_limit(engine: Engine) -> None:
    g = engine.generate("Hello", regex=r"[a-z ]{400};", max_tokens=16, close_within_budget=False)
    assert g.finish_reason == "length"
    assert ";" not in g.text


def test_a_nested_schema_closes(engine: Engine) -> None:
    nested = {
        "type": "object",
        "properties": {"a": PERSON, "b": {"type": "array", "items": PERSON}},
        "required": ["a", "b"],
    }
    g = engine.generate("Hello", json_schema=nested, max_tokens=60, temperature=1.0, seed=0)
    assert set(json.loads(g.text)) >= {"a", "b"}


@pytest.mark.parametrize("max_tokens", [5, 20, 64])
def test_a_regex_holds_and_closes(engine: Engine, max_tokens: int) -> None:
    g = engine.generate("Hello", regex=r"[a-z]{3,60};[0-9]+", max_tokens=max_tokens)
    assert re.fullmatch(r"[a-z]{3,60};[0-9]+", g.text)


def test_a_choice_is_one_of_its_options(engine: Engine) -> None:
    options = ["red", "green tea", 'say "hi"\n']
    rows = engine.generate(
        ["Hello"] * 6, choice=options, temperature=2.0, seed=PerRow(list(range(6))), max_tokens=20
    )
    assert {row.text for row in rows} <= set(options)
    assert {row.finish_reason for row in rows} == {"stop"}


def test_a_lark_grammar_holds(engine: Engine) -> None:
    grammar = 'start: "<" WORD ("," WORD)* ">"\nWORD: /[A-Z]{2,4}/'
    g = engine.generate("Hello", grammar=grammar, max_tokens=20, temperature=1.0, seed=1)
    assert re.fullmatch(r"<[A-Z]{2,4}(,[A-Z]{2,4})*>", g.text)


def test_a_value_that_spells_a_control_token_is_plain_text(engine: Engine) -> None:
    control = {
        i: t.content for i, t in engine.tokenizer().added_tokens_decoder.items() if t.special
    }
    assert control
    schema = {"type": "object", "required": ["it"], "additionalProperties": False}
    for name in control.values():
        chosen = engine.generate("Hello", choice=[f"a{name}b"], max_tokens=60)
        assert (chosen.text, chosen.finish_reason) == (f"a{name}b", "stop")
        value = {**schema, "properties": {"it": {"const": name}}}
        written = engine.generate("Hello", json_schema=value, max_tokens=80)
        assert json.loads(written.text) == {"it": name}
        assert not set(control) & {*chosen.token_ids, *written.token_ids[:-1]}


def test_each_row_of_a_batch_has_its_own_constraint(engine: Engine) -> None:
    rows = engine.generate(["Hello"] * 3, choice=PerRow([["yes"], None, ["no"]]), max_tokens=8)
    assert (rows[0].text, rows[2].text) == ("yes", "no")
    assert rows[1].token_ids == engine.generate("Hello", max_tokens=8).token_ids


def test_a_constraint_that_the_model_would_obey_anyway_changes_nothing(engine: Engine) -> None:
    free = engine.generate("Hello", max_tokens=10)
    held = engine.generate("Hello", max_tokens=10, regex=r"(?s:.*)")
    assert held.token_ids == free.token_ids


def test_log_probabilities_are_those_of_the_unconstrained_mixture(engine: Engine) -> None:
    g = engine.generate("Hello", choice=["red"], logprobs=True, max_tokens=8)
    score = engine.score("Hello", list(g.token_ids))
    assert g.logprobs == pytest.approx(score.logprobs, abs=1e-4)


def test_a_mask_that_leaves_nothing_to_the_grammar_gives_way(engine: Engine) -> None:
    mask = Plausibility(role="base", min_ratio=1.0)
    assert engine.generate("Hello", alpha=1.0, mask=mask, choice=["red"]).text == "red"


@pytest.mark.parametrize(
    ("constraint", "says"),
    [
        ({"json_schema": {"type": "no such type"}}, "json_schema does not compile"),
        ({"json_schema": "{not json"}, "json_schema does not compile"),
        ({"json_schema": {"not": {"type": "string"}, "if": {}}}, "json_schema does not compile"),
        ({"regex": "("}, "regex does not compile"),
        ({"grammar": "start: missing"}, "grammar does not compile"),
        ({"choice": []}, "at least one"),
        ({"choice": [""]}, "non-empty"),
        ({"regex": ""}, "non-empty"),
        ({"regex": "a", "choice": ["b"]}, "exclude each other"),
        ({"close_within_budget": False}, "needs a constraint"),
    ],
)
def test_a_constraint_that_cannot_be_obeyed_is_refused_in_one_line(
    engine: Engine, constraint: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        engine.generate("Hello", **constraint)
    assert "\n" not in str(caught.value)
