"""The folder of a run: what was run, and every answer as it came, so that a run can resume."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eft_integrations.errors import InvalidRequest
from eft_integrations.evaluation.grades import Said, grade
from eft_integrations.evaluation.lines import append_lines, read_lines
from eft_integrations.evaluation.questions import Question
from eft_integrations.evaluation.voices import CEILING

_PIECE = 1 << 20  # bytes of a large file, at its beginning, middle and end, that tell it
# What a member's answers depend on: weights, and how they and texts are read.
_FILES = ("*.safetensors", "*.bin", "*.json", "*.jinja", "*.model")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one voice answered to one question, with its grade; ``calls`` and more as in `Said`."""

    voice: str
    id: str
    text: str
    calls: tuple[Mapping[str, object], ...]
    problems: tuple[str, ...]
    finish_reason: str
    num_tokens: int
    token_ids: tuple[int, ...]
    right: bool | None
    form: bool
    failed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What must be the same for a run to go on; all of it plain words and numbers."""

    questions: str
    num_questions: int
    members: Mapping[str, str]
    voices: Mapping[str, Mapping[str, object]]
    settings: Mapping[str, object]


class Folder:
    """``run.json`` and the growing files beside it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.run_path = self.path / "run.json"
        self.answers_path = self.path / "answers.jsonl"
        self.agreement_path = self.path / "agreement.jsonl"
        self.judged_path = self.path / "judged.jsonl"

    def begin(self, manifest: Manifest, versions: Mapping[str, str]) -> None:
        """Start, or go on with the run that is here, which keeps the versions that it began with.

        A run without answers binds nobody: one that could not load its models, or whose questions
        did not fit, is begun anew. Nor does a ceiling that has not answered. Raises
        ``InvalidRequest`` where another run is here, or the folder cannot be written.
        """
        wanted = json.loads(json.dumps({**asdict(manifest), "versions": versions}))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            found = self._found()
            if found:
                self._refuse_other(found, wanted)
                wanted["versions"] = found.get("versions", versions)
            self.run_path.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        except (OSError, ValueError) as error:
            raise InvalidRequest(
                f"cannot use {self.path} as the output folder: {error}; give another --output"
            ) from error

    def versions(self) -> dict[str, str]:
        """Of the packages that the answers were begun with."""
        found: dict[str, str] = json.loads(self.run_path.read_text(encoding="utf-8"))["versions"]
        return found

    def _found(self) -> dict[str, Any]:
        """What stands in ``run.json``, as far as there are answers that it binds."""
        files = (self.answers_path, self.agreement_path, self.judged_path)
        held = [file.name for file in files if file.exists() and file.stat().st_size]
        if not held:
            return {}
        if not self.run_path.exists() or self.answers_path.name not in held:
            missing = self.answers_path if self.run_path.exists() else self.run_path
            raise InvalidRequest(
                f"{self.path} holds {', '.join(held)} without {missing.name}; give another "
                f"--output, or delete it"
            )
        found: dict[str, Any] = json.loads(self.run_path.read_text(encoding="utf-8"))
        return found

    def answers(self, questions: Iterable[Question]) -> dict[tuple[str, str], Answer]:
        """The answers so far, by voice and question. Graded anew: rules may have changed."""
        by_id = {question.id: question for question in questions}
        found = {}
        for line in read_lines(self.answers_path):
            answer = _answer(line, by_id, self.answers_path)
            found[answer.voice, answer.id] = answer
        return found

    def add_answers(self, answers: Sequence[Answer]) -> None:
        append_lines(self.answers_path, [asdict(answer) for answer in answers])

    def _refuse_other(self, found: Mapping[str, object], wanted: Mapping[str, object]) -> None:
        voices = {line.get("voice") for line in read_lines(self.answers_path)}
        for key in (one for one in wanted if one != "versions"):
            there, here = found.get(key), wanted[key]
            if CEILING not in voices and isinstance(there, dict) and isinstance(here, dict):
                there, here = (_without(CEILING, some) for some in (there, here))
            if there != here:
                raise InvalidRequest(
                    f"{self.path} holds a run with other {key.removeprefix('num_')}"
                    f"{_difference(there, here)}; give another --output, or delete it"
                )


def graded(
    question: Question, voice: str, said: Said, finish_reason: str, ids: Sequence[int]
) -> Answer:
    """An answer with its grade; in form only if it ended by itself."""
    mark = grade(question.expect, said, is_ended=finish_reason == "stop")
    return Answer(
        voice=voice,
        id=question.id,
        text=said.text,
        calls=tuple(said.calls),
        problems=tuple(said.problems),
        finish_reason=finish_reason,
        num_tokens=len(ids),
        token_ids=tuple(ids),
        right=mark.right,
        form=mark.form,
        failed=mark.failed,
    )


def fingerprint(member: object) -> str:
    """Eight digits that change with the weights, tokenizer or template of a folder.

    Empty for a hub id.
    """
    folder = Path(str(member))
    files = sorted(file for kind in _FILES for file in folder.glob(kind) if file.is_file())
    if not files:
        return ""
    digest = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        with file.open("rb") as content:
            digest.update(f"{file.name} {size} ".encode())
            for start in sorted({0, max(0, (size - _PIECE) // 2), max(0, size - _PIECE)}):
                content.seek(start)
                digest.update(content.read(_PIECE))
    return digest.hexdigest()[:8]


def _answer(line: Mapping[str, Any], by_id: Mapping[str, Question], path: Path) -> Answer:
    try:
        question = by_id[line["id"]]
        said = Said(text=line["text"], calls=line["calls"], problems=line["problems"])
        return graded(question, line["voice"], said, line["finish_reason"], line["token_ids"])
    except (KeyError, TypeError) as error:
        raise InvalidRequest(
            f"{path} holds an answer of another kind ({type(error).__name__}: {error}); "
            f"give another --output, or delete it"
        ) from error


def _without(name: str, some: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in some.items() if key != name}


def _difference(found: object, wanted: object) -> str:
    """Where two values differ, in a few words."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        names = sorted(found.keys() | wanted.keys())
        name = next(name for name in names if found.get(name) != wanted.get(name))
        return f" ({name}: {found.get(name, 'nothing')} there, {wanted.get(name, 'nothing')} here)"
    return f" ({found} there, {wanted} here)"
