"""The ``eft`` command: a face of the engine.

Importing this room is light: torch and transformers arrive inside the commands that need them.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The entry point of ``eft``."""
    _quieten()
    try:
        from eft_integrations.cli.app import app

        app()
    except KeyboardInterrupt:  # before a command has begun
        sys.exit(130)


def _quieten() -> None:
    """Settings that transformers and its hub read once, on import; the user's own win."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter gets "?", never a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
