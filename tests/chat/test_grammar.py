"""What a form lets through: exactly the answers that it names. No model is run."""

from __future__ import annotations

from typing import Any

import pytest

from eft_integrations.chat.dialects import Dialect
from eft_integrations.chat.dialects.choice import DIALECTS, dialect_named, dialect_of
from eft_integrations.chat.grammar import Form, lark
from eft_integrations.engine.constraint import Grammars
from eft_integrations.errors import UnknownOption
from eft_integrations.request import Constraint

ADD: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
}
TOOLS = {"add": ADD, "now": None}
RECORD = {"type": "object", "properties": {"x": {"enum": [1]}}, "required": ["x"]}


@pytest.fixture(scope="module")
def grammars(tokenizer: Any) -> Grammars:
    return Grammars(tokenizer, len(tokenizer), [tokenizer.eos_token_id])


def call(dialect: Dialect, name: str, arguments: str) -> str:
    return f"{dialect.head}{dialect.named(name)}{dialect.middle}{arguments}{dialect.tail}"


def answer(dialect: Dialect, *calls: str) -> str:
    joined = (dialect.joint or "; ").join(calls)
    return f"{dialect.opening}{dialect.start}{joined}{dialect.end}"


def accepts(grammars: Grammars, tokenizer: Any, form: Form, text: str) -> bool:
    source = lark(form)
    assert source is not None
    matcher = grammars.compile(Constraint(kind="grammar", value=source))._matcher
    ids = tokenizer.encode(text, add_special_tokens=False)
    if matcher.validate_tokens(ids) < len(ids):
        return False
    return bool(matcher.consume_tokens(ids) and matcher.is_accepting())


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
@pytest.mark.parametrize(
    ("changes", "text", "one", "bad", "record"),
    [
        ({}, True, True, False, True),
        ({"must_call": True}, False, True, False, False),
        ({"response": RECORD}, False, True, False, True),
        ({"response": RECORD, "must_call": True}, False, True, False, False),
        ({"response": RECORD, "calls": {}}, False, False, False, True),
        ({"calls": {}, "forbids_calls": True}, True, False, False, True),
    ],
    ids=["auto", "any", "auto or json", "any before json", "json", "none"],
)
def test_a_form_lets_through_what_it_names(
    grammars: Grammars,
    tokenizer: Any,
    dialect: Dialect,
    changes: dict[str, Any],
    text: bool,
    one: bool,
    bad: bool,
    record: bool,
) -> None:
    form = Form(**{"dialect": dialect, "calls": TOOLS, **changes})
    assert accepts(grammars, tokenizer, form, "Hello.") is text
    assert (
        accepts(grammars, tokenizer, form, answer(dialect, call(dialect, "add", '{"a": 3}'))) is one
    )
    for arguments in ('{"a": "x"}', "{}", '{"a": 3, "b": 1}', "3"):
        wrong = answer(dialect, call(dialect, "add", arguments))
        assert accepts(grammars, tokenizer, form, wrong) is bad
    is_call_like = dialect.is_leading and "response" not in changes
    assert accepts(grammars, tokenizer, form, '{"x": 1}') is (record and not is_call_like)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
def test_several_calls_only_where_they_may_repeat(
    grammars: Grammars, tokenizer: Any, dialect: Dialect
) -> None:
    two = answer(dialect, call(dialect, "add", '{"a": 3}'), call(dialect, "now", "{}"))
    for may in (True, False):
        form = Form(dialect=dialect, calls=TOOLS, must_call=True, may_repeat=may)
        can = may and dialect.joint is not None
        assert accepts(grammars, tokenizer, form, two) is can


@pytest.mark.parametrize("name", ["hermes", "mistral", "mistral_args"])
def test_text_may_come_before_a_call(grammars: Grammars, tokenizer: Any, name: str) -> None:
    dialect = dialect_named(name)
    form = Form(dialect=dialect, calls=TOOLS)
    text = "One moment.\n" + answer(dialect, call(dialect, "now", "{}"))
    assert accepts(grammars, tokenizer, form, text)


def test_a_thought_that_the_prompt_opened_comes_first(grammars: Grammars, tokenizer: Any) -> None:
    form = Form(dialect=dialect_named("hermes"), response=RECORD, is_thinking=True)
    assert accepts(grammars, tokenizer, form, 'Hm. {"x": 2}</think>\n\n{"x": 1}')
    assert not accepts(grammars, tokenizer, form, '{"x": 1}')


@pytest.mark.parametrize(
    ("text", "can"),
    [
        ('Thought: I do.\nAction: add\nAction Input: {"a": 3}', True),
        ("Thought: I do it now.\nAction: now\nAction Input: {}", True),
        ("Thought: I know.\nAnswer: 4\nand 5", True),
        ("Hello.", False),
        ("Thought: I know.", False),
        ("Thought: One thing,\nthen more.\nAnswer: 4", False),
        ("Thought: I do.\nAction: subtract\nAction Input: {}", False),
        ('Thought: I do.\nAction: add\nAction Input: {"a": "x"}', False),
        ('Thought: I do.\nAction: add\nAction Input: {"a": 3}\nObservation: 4', False),
    ],
)
@pytest.mark.parametrize("is_thinking", [True, False])
def test_a_step_of_react_is_an_action_or_an_answer(
    grammars: Grammars, tokenizer: Any, text: str, can: bool, is_thinking: bool
) -> None:
    form = Form(dialect=dialect_named("hermes"), react=TOOLS, is_thinking=is_thinking)
    assert accepts(grammars, tokenizer, form, "Hm.</think>\n" * is_thinking + text) is can


def test_an_object_is_closed_at_any_depth(grammars: Grammars, tokenizer: Any) -> None:
    inner = {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]}
    outer = {"type": "object", "properties": {"a": {"type": "array", "items": inner}}}
    form = Form(dialect=dialect_named("hermes"), response=outer)
    assert accepts(grammars, tokenizer, form, '{"a": [{"b": null}]}')
    assert not accepts(grammars, tokenizer, form, '{"a": [{"b": null, "c": 1}]}')


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("…<tool_call>…", "hermes"),
        ("…[TOOL_CALLS]…", "mistral"),
        ("…[TOOL_CALLS]…[ARGS]…", "mistral_args"),
        ("…<|python_tag|>…", "llama3"),
        ("…", "hermes"),
    ],
)
def test_a_template_betrays_its_dialect(template: str, name: str) -> None:
    assert dialect_of(template).name == name


def test_an_unknown_dialect_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownOption, match="did you mean 'hermes'"):
        dialect_named("hermess")
