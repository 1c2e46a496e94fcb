"""JSON lines that grow and survive a killed process. Files only, no meaning."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from eft_integrations.errors import InvalidRequest


def read_lines(path: Path) -> list[dict[str, object]]:
    """The objects of a file, none where it is not there yet.

    A last line without its end was torn by a killed process: it is cut off the file. Any other
    line that does not parse raises ``InvalidRequest``.
    """
    if not path.exists():
        return []
    try:
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            with path.open("r+b") as file:
                file.truncate(len(whole))
    except OSError as error:
        raise InvalidRequest(f"cannot use {path}: {error}; give another --output") from error
    lines = whole.decode(errors="replace").split("\n")[:-1]
    return [_parsed(path, number, line) for number, line in enumerate(lines, 1)]


def append_lines(path: Path, items: Iterable[Mapping[str, object]]) -> None:
    """Add these, and return when they are on the disk."""
    text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InvalidRequest(
            f"cannot write to {path}: {error}; what was there is kept: make room, and run again"
        ) from error


def _parsed(path: Path, number: int, line: str) -> dict[str, object]:
    try:
        item = json.loads(line)
    except ValueError:
        item = None
    if not isinstance(item, dict):
        raise InvalidRequest(
            f"{path}:{number} is not a line that was written here: {line[:40]!r}; "
            f"delete it, or give another --output"
        )
    return item
