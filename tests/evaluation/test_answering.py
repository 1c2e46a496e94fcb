"""What is graded is what the chat room reads, in the dialect of the members' own template."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import Engine, InvalidRequest
from eft_integrations.chat.dialects.choice import DIALECTS
from eft_integrations.chat.repair import written
from eft_integrations.evaluation.answering import asked, said
from eft_integrations.evaluation.grades import Said, grade
from eft_integrations.request import Generation, Usage
from tests.chat.test_dialects import TOOL
from tests.conftest import ROLES, llama, open_trio, save_trio
from tests.evaluation.conftest import question

LEFT = {"name": "turn", "arguments": {"way": "left"}}
TURNS = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
Opened = Callable[[str | None], Engine]


@pytest.fixture
def opened(tmp_path: Path, tokenizer: Any) -> Iterator[Opened]:
    """A random trio with this chat template."""
    engines: list[Engine] = []

    def make(template: str | None) -> Engine:
        own = copy.deepcopy(tokenizer)
        own.chat_template = template
        save_trio(tmp_path, own, {role: llama(own) for role in ROLES})
        engines.append(open_trio(tmp_path))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def heard(engine: Engine, text: str, *, has_tools: bool = True) -> Said:
    """This answer to a question, as it is graded."""
    one = question("a", "tool", tools=[TOOL] if has_tools else [])
    ids = tuple(engine.encoder.encode(text, special=False))
    usage = Usage(prompt_tokens=1, completion_tokens=len(ids))
    answer = Generation(text=text, token_ids=ids, finish_reason="length", usage=usage)
    return said(engine, asked(engine, [one], None).prepared["a"], answer)


@pytest.mark.parametrize("name", DIALECTS)
def test_calls_are_read_in_the_dialect_of_the_template(opened: Opened, name: str) -> None:
    dialect = DIALECTS[name]
    engine = opened(f"{TURNS}{{# {' '.join(dialect.signs)} #}}")
    found = heard(engine, written([LEFT], dialect))
    assert (found.text, found.problems) == ("", [])
    assert grade({"calls": [LEFT]}, found, is_ended=True).right
    assert not grade({"calls": []}, found, is_ended=True).right


@pytest.mark.parametrize("template", [TURNS, None])
def test_tools_that_a_template_passes_over_are_told_in_words(
    opened: Opened, template: str | None
) -> None:
    engine = opened(template)
    prompts = asked(engine, [question("a", "tool", tools=[TOOL])], None).prompts["a"]
    for ids in prompts.values():
        assert '"name": "turn"' in engine.encoder.decode(ids, special=True)
    assert heard(engine, written([LEFT], DIALECTS["hermes"])).calls == [LEFT]


def test_thoughts_are_not_graded(opened: Opened) -> None:
    engine = opened(TURNS + "{# </think> #}")
    found = heard(engine, "<think>Mali or Chad?</think>Chad", has_tools=False)
    assert found.text == "Chad"
    assert grade({"excludes": "Mali"}, found, is_ended=True).right


@pytest.mark.parametrize(
    "arguments", ['{"way": left}', '{"way": ' + "[" * 2000 + "]" * 2000 + "}", '{"way": "left"']
)
def test_a_call_that_is_no_json_is_no_call_and_no_answer_without_one(
    opened: Opened, arguments: str
) -> None:
    engine = opened(f"{TURNS}{{# <tool_call> #}}")
    text = f'<tool_call>\n{{"name": "turn", "arguments": {arguments}}}\n</tool_call>'
    found = heard(engine, text)
    assert len(found.problems) == 1
    for value in ([], [LEFT]):
        assert not grade({"calls": value}, found, is_ended=True).right


def test_a_question_that_cannot_be_rendered_is_named(opened: Opened) -> None:
    engine = opened("{{ raise_exception('no') }}")
    with pytest.raises(InvalidRequest, match="question 'a': the chat template"):
        asked(engine, [question("a")], None)
