"""LlamaIndex: ``EFTLLM``, from query engine to agent workflow.

Needs llama-index-core (``pip install 'eft-integrations[llama-index]'``). Also importable as
``llama_index.llms.eft``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eft_integrations.lazy import lazy

if TYPE_CHECKING:
    from eft_integrations.llama_index.llm import EFTLLM

__all__ = ["EFTLLM"]

_HOME = {"EFTLLM": f"{__name__}.llm"}
__getattr__ = lazy(__name__, _HOME, needs="llama_index.core", extra="llama-index")
