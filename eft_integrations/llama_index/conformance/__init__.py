"""A test kit for any LlamaIndex model, since LlamaIndex has none.

Subclass it under pytest, and say what the model does not claim::

    class TestMine(LLMConformance):
        claims = CLAIMS - {"tools", "forced"}

        def make_llm(self) -> LLM:
            return MyLLM()

or call :func:`report` for a table. Needs no network, no plugin of pytest and no time-outs.
"""

from __future__ import annotations

import traceback

from eft_integrations.llama_index.conformance.driving import NotClaimed
from eft_integrations.llama_index.conformance.kit import CLAIMS, LLMConformance

__all__ = ["CLAIMS", "LLMConformance", "NotClaimed", "report"]


def report(kit: LLMConformance) -> dict[str, str]:
    """Each test's name with "ok", "not claimed", or the error in one line."""
    names = [name for name in vars(LLMConformance) if name.startswith("test_")]
    return {name.removeprefix("test_").replace("_", " "): _outcome(kit, name) for name in names}


def _outcome(kit: LLMConformance, name: str) -> str:
    try:
        getattr(kit, name)()
    except NotClaimed:
        return "not claimed"
    except Exception as error:  # whatever a foreign model raises
        told = str(error).strip() or traceback.extract_tb(error.__traceback__)[-1].line
        return f"{type(error).__name__}: {told}".splitlines()[0][:120]
    return "ok"
