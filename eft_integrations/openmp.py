"""How long OpenMP's threads wait awake for work: a moment, not libgomp's milliseconds.

Threads that spin hold the cores. While a consumer reads a stream, one of them has the core that
the thread it waits for needs: a small model streamed 30 to 90 tokens a second with libgomp's own
300,000 turns, 640 with these. libgomp reads the variable when torch is loaded, so it is set before;
whoever has set it, or ``OMP_WAIT_POLICY``, is obeyed.
"""

from __future__ import annotations

import os
import sys

_TURNS = "30000"
_NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def shorten() -> bool:
    """Set it where nobody has and torch is not loaded; whether the wait is known by then."""
    if any(name in os.environ for name in _NAMES):
        return True
    if "torch" in sys.modules:
        return False
    os.environ[_NAMES[0]] = _TURNS
    return True


# Where it is false, threads had better sleep: see ``engine.worker.apart``.
IS_KNOWN = shorten()
