"""LlamaIndex: ``EFTLLM``, from query engine to agent workflow.

Needs llama-index-core (``pip install 'eft-integrations[llama-index]'``). Also importable as
``llama_index.llms.eft``. Nothing here is imported late: with this package LlamaIndex's
``load_llm`` knows the class.
"""

from __future__ import annotations

from eft_integrations.lazy import require

require(__name__, "llama_index.core", "llama-index")

from eft_integrations.llama_index.llm import EFTLLM  # noqa: E402 — says first what is missing

__all__ = ["EFTLLM"]
