"""Question sets: JSON lines that anyone can write. Pure, but for reading files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from eft_integrations.errors import EFTError, InvalidRequest, refuse_unknown
from eft_integrations.evaluation.grades import refuse_bad

KEYS = ("id", "kind", "messages", "tools", "expect", "tags")
SHORT_KEYS = ("id", "question", "answer")
MESSAGE_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content")
ROLES = ("system", "developer", "user", "assistant", "tool")

HARMFUL = "harmful"  # the kind whose refusals the frontier counts
FACT = "fact"  # the kind of the short form, and the one whose expected texts are facts
ALL = "all"  # every kind but the harmful one, in the report


@dataclass(frozen=True, kw_only=True)
class Question:
    """One item: what is asked, and what is expected of the answer.

    ``kind`` is a free word and makes the columns of the report, ``tags`` make its slices.
    """

    id: str
    kind: str
    messages: Sequence[Mapping[str, object]]
    tools: Sequence[Mapping[str, object]] = ()
    expect: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def answers(self) -> tuple[str, ...]:
        """The texts of which one has to stand in the answer; none where that is not expected."""
        wanted = self.expect.get("contains", ())
        return (wanted,) if isinstance(wanted, str) else tuple(map(str, _items(wanted)))


def load_questions(*paths: str | Path) -> tuple[Question, ...]:
    """The questions of these files, in order.

    Raises ``InvalidRequest`` or ``UnknownOption`` with file and line for whatever is not as
    docs/evaluate.md says, and where two items have one id.
    """
    found: dict[str, Question] = {}
    for path in map(Path, paths):
        for number, line in _lines(path):
            try:
                question = read(line, fallback_id=f"{path.stem}-{number}")
                if question.id in found:
                    raise InvalidRequest(f"id {question.id!r} was given before; make it unique")
            except EFTError as error:
                raise type(error)(f"{path}:{number}: {error}") from None
            found[question.id] = question
    if not found:
        where = ", ".join(map(str, paths)) or "the embedded family, which has no such files"
        raise InvalidRequest(f"there are no questions in {where}; name files with some")
    return tuple(found.values())


def read(line: str, *, fallback_id: str) -> Question:
    """One line → one question; ``fallback_id`` names those in the short form."""
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"not JSON: {error}") from None
    if not isinstance(item, dict):
        raise InvalidRequest(f"a question is a JSON object, got {line.strip()[:60]!r}")
    if "question" in item:
        return _short(item, fallback_id)
    if "answer" in item:
        raise InvalidRequest("'answer' goes with 'question'; beside messages, give expect.contains")
    refuse_unknown("key", item, KEYS)
    for key in ("id", "kind", "messages"):
        if key not in item:
            raise InvalidRequest(f'{key!r} is missing; give it, or "question" and "answer" alone')
    return Question(
        id=_word("id", item["id"]),
        kind=_kind(item["kind"]),
        messages=_messages(item["messages"]),
        tools=_tools(item.get("tools", [])),
        expect=refuse_bad(item.get("expect", {})),
        tags=tuple(_word("tags", tag) for tag in _items(item.get("tags", []))),
    )


def first_of_each_kind(questions: Iterable[Question], limit: int) -> tuple[Question, ...]:
    """The first ``limit`` questions of each kind, in order."""
    seen: Counter[str] = Counter()
    kept = []
    for question in questions:
        seen[question.kind] += 1
        if seen[question.kind] <= limit:
            kept.append(question)
    return tuple(kept)


def digest(questions: Iterable[Question]) -> str:
    """A fingerprint of a question set: 16 hexadecimal digits."""
    text = json.dumps([asdict(question) for question in questions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _short(item: dict[str, object], fallback_id: str) -> Question:
    refuse_unknown("key beside 'question'", item, SHORT_KEYS)
    if "answer" not in item:
        raise InvalidRequest("'answer' is missing beside 'question'")
    return Question(
        id=_word("id", item.get("id", fallback_id)),
        kind=FACT,
        messages=_messages([{"role": "user", "content": item["question"]}]),
        expect=refuse_bad({"contains": item["answer"]}),
    )


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines with something in them, and their numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InvalidRequest(f"cannot read questions from {path}: {reason}") from error
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _word(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{name} must be a non-empty text, got {value!r}")
    return value


def _kind(value: object) -> str:
    if value == ALL:
        raise InvalidRequest(f"kind {ALL!r} is what the report calls all kinds; give another word")
    return _word("kind", value)


def _items(value: object) -> list[object]:
    if not isinstance(value, (list, tuple)):
        raise InvalidRequest(f"expected a list, got {value!r}")
    return list(value)


def _objects(name: str, value: object) -> list[dict[str, object]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InvalidRequest(f"{name} must be a list of objects, got {value!r}")
    return value


def _tools(value: object) -> list[dict[str, object]]:
    tools = _objects("tools", value)
    for tool in tools:
        function = tool.get("function", tool)
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise InvalidRequest(
                f'a tool is {{"type": "function", "function": {{"name": …}}}}, got {tool!r}'
            )
    return tools


def _messages(value: object) -> list[dict[str, object]]:
    messages = _objects("messages", value)
    if not messages:
        raise InvalidRequest("messages is empty; give at least one")
    for message in messages:
        refuse_unknown("key of a message", message, MESSAGE_KEYS)
        role = _word("role of a message", message.get("role"))
        refuse_unknown("role", [role], ROLES)
        _refuse_bad_content(role, message)
    return messages


def _refuse_bad_content(role: str, message: Mapping[str, object]) -> None:
    """Text, or parts of it; a tool may say nothing, and so may a turn that calls tools."""
    content = message.get("content")
    if isinstance(content, list) and content:
        for part in _objects("parts of a content", content):
            refuse_unknown("key of a part", part, ("type", "text"))
            refuse_unknown("type of a part", [part.get("type")], ("text",))
            _word("text of a part", part.get("text"))
    elif not (content in ("", None) and (message.get("tool_calls") or role == "tool")):
        _word("content of a message", content)
