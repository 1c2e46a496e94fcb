"""LlamaIndex: ``EFTLLM``, from query engine to agent workflow.

Needs llama-index-core (``pip install 'eft-integrations[llama-index]'``). Also importable as
``llama_index.llms.eft``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eft_integrations.llama_index.llm import EFTLLM

__all__ = ["EFTLLM"]

_HOME = {"EFTLLM": "llm"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import llama_index.core  # noqa: F401 — only to tell what is missing
    except ImportError as error:
        raise ImportError(
            "eft_integrations.llama_index needs llama-index-core: "
            "pip install 'eft-integrations[llama-index]'"
        ) from error
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
