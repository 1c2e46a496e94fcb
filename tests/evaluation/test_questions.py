"""Question files: what is accepted is what was written, and mistakes are told with their line."""

import json
from pathlib import Path

import pytest

from eft_integrations.errors import EFTError, InvalidRequest, UnknownOption
from eft_integrations.evaluation.questions import digest, first_of_each_kind, load_questions

WHOLE = {
    "id": "a",
    "kind": "fact",
    "messages": [{"role": "user", "content": "Capital of Chad?"}],
    "tools": [{"type": "function", "function": {"name": "now"}}],
    "expect": {"contains": ["N'Djamena"], "max_words": 9},
    "tags": ["capital"],
}


def write(folder: Path, *items: object, name: str = "set.jsonl") -> Path:
    path = folder / name
    lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_whole_item_is_what_was_written(tmp_path: Path) -> None:
    (question,) = load_questions(write(tmp_path, WHOLE))
    assert (question.id, question.kind, question.tags) == ("a", "fact", ("capital",))
    assert question.messages == WHOLE["messages"]
    assert question.tools == WHOLE["tools"]
    assert question.expect == WHOLE["expect"]
    assert question.answers == ("N'Djamena",)


def test_the_short_form_is_a_fact_named_after_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "", {"question": "2 + 2?", "answer": "4"})
    (question,) = load_questions(path)
    assert (question.id, question.kind, question.answers) == ("set-2", "fact", ("4",))
    assert question.messages == [{"role": "user", "content": "2 + 2?"}]


def test_files_of_one_name_may_name_their_short_questions(tmp_path: Path) -> None:
    path = write(tmp_path, {"id": "sum", "question": "2 + 2?", "answer": "4"})
    assert [question.id for question in load_questions(path)] == ["sum"]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "content": ""},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "now"}}]},
    ],
)
def test_turns_are_as_chats_have_them(tmp_path: Path, message: dict[str, object]) -> None:
    (question,) = load_questions(write(tmp_path, {**WHOLE, "messages": [message]}))
    assert question.messages == [message]


def test_files_follow_each_other_and_ids_are_unique(tmp_path: Path) -> None:
    first = write(tmp_path, WHOLE)
    other = write(tmp_path, {**WHOLE, "id": "b"}, name="other.jsonl")
    assert [question.id for question in load_questions(first, other)] == ["a", "b"]
    with pytest.raises(InvalidRequest, match=r"set\.jsonl:1: id 'a' was given before"):
        load_questions(first, first)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tag": []}, "unknown key 'tag'; did you mean 'tags'?"),
        ({"expect": {"contain": "x"}}, "unknown key of expect 'contain'; did you mean 'contains'?"),
        ({"expect": {"format": "("}}, "is no regular expression"),
        ({"expect": {"contains": []}}, "contains must be a text or a list of texts"),
        ({"expect": {"calls": [{"name": "f"}]}}, "calls must be a list of"),
        ({"expect": {"refuses": 1}}, "refuses must be True or False"),
        ({"expect": {"max_words": 0}}, "max_words must be at least 1"),
        ({"expect": []}, "expect must be an object"),
        ({"id": ""}, "id must be a non-empty text"),
        ({"messages": []}, "messages is empty"),
        ({"messages": [{"content": "x"}]}, "role of a message"),
        ({"messages": [{"role": "user"}]}, "content of a message"),
        (
            {"messages": [{"role": "usr", "content": "x"}]},
            "unknown role 'usr'; did you mean 'user'?",
        ),
        (
            {"messages": [{"role": "user", "content": "x", "contnt": "y"}]},
            "unknown key of a message 'contnt'; did you mean 'content'?",
        ),
        ({"messages": [{"role": "user", "content": ""}]}, "content of a message must be"),
        ({"messages": [{"role": "user", "content": []}]}, "content of a message must be"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "text": "x"}]}]},
            "unknown type of a part 'image'",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "text of a part must be"),
        ({"messages": [{"role": "assistant", "tool_calls": [], "content": ""}]}, "content of a"),
        ({"tools": {}}, "tools must be a list of objects"),
        ({"tools": [{"typo": "f"}]}, "a tool is"),
        ({"tags": "x"}, "expected a list"),
        ({"question": "x"}, "unknown key beside 'question'"),
        ({"answer": "x"}, "'answer' goes with 'question'; beside messages, give expect.contains"),
        ({"kind": "all"}, "kind 'all' is what the report calls all kinds"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    path = write(tmp_path, WHOLE, {**WHOLE, "id": "b", **change})
    with pytest.raises(EFTError) as caught:
        load_questions(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert told in str(caught.value)
    assert isinstance(caught.value, UnknownOption) == ("unknown" in told)


@pytest.mark.parametrize("line", ["{", "[]", "3", '{"id": "x"}', '{"question": "x"}'])
def test_a_line_that_is_no_question_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidRequest, match=r"set\.jsonl:1: "):
        load_questions(write(tmp_path, line))


def test_a_file_that_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"cannot read questions from .*none: No such file"):
        load_questions(tmp_path / "none")
    with pytest.raises(InvalidRequest, match="there are no questions in"):
        load_questions(write(tmp_path))


def test_a_limit_counts_each_kind_for_itself(tmp_path: Path) -> None:
    items = [{**WHOLE, "id": f"{kind}{n}", "kind": kind} for n in range(3) for kind in "xy"]
    kept = first_of_each_kind(load_questions(write(tmp_path, *items)), 2)
    assert [question.id for question in kept] == ["x0", "y0", "x1", "y1"]


def test_the_digest_tells_sets_apart(tmp_path: Path) -> None:
    one = load_questions(write(tmp_path, WHOLE))
    other = load_questions(write(tmp_path, {**WHOLE, "expect": {"contains": "Chad"}}))
    assert digest(one) == digest(load_questions(write(tmp_path, WHOLE)))
    assert digest(one) != digest(other)
