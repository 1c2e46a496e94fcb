"""Writes docs/cli.md from the commands' own help: `make docs`. The tests compare the two."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent / "cli.md"
COMMANDS = ("ask", "compare", "show", "chat", "check", "evaluate", "report", "bench", "serve-vllm")
HEAD = """# The `eft` command

Everything defaults to the embedded family. `--base`, `--tuned` and `--reference` name folders or
hub ids of your own; several tuned members are `--tuned helpful=PATH --tuned harmless=PATH`, and
their coefficients `--alpha helpful=0.7 --alpha harmless=0.3`. Answers go to stdout, everything else
to stderr. Bad input is one line, `error: …`, and exit status 2, as is wrong usage; a broken pipe
ends with 141, Ctrl-C with 130, and `check` with 1 where it found a problem.

In `eft chat`: `/alpha 0.5`, `/beta 1.2` and `/set filter_top_p=0.95` hold from the next answer on,
`/reset` forgets the conversation, `/help` lists the commands, `/quit` ends.

This page is written by `make docs` from the help of the commands.
"""


def page() -> str:
    """The page as it should be."""
    parts = [HEAD]
    for command in ("", *COMMANDS):
        title = f"eft {command}".strip()
        parts.append(f"## {title}\n\n```\n{_help(command)}\n```\n")
    return "\n".join(parts)


def _help(command: str) -> str:
    code = "import sys; sys.argv[0] = 'eft'; from eft_integrations.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "PYTHONUTF8": "1"},
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
