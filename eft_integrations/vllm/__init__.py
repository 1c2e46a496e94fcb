"""Emulated fine-tuning inside vLLM: the up-scaled model as one more vLLM model.

``llm`` is vLLM's offline ``LLM``, ``serve`` its OpenAI server (``eft serve-vllm``). Needs vLLM
(``pip install 'eft-integrations[vllm]'``), which is imported inside the functions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eft_integrations.lazy import lazy

if TYPE_CHECKING:
    from eft_integrations.vllm.launch import engine_args, llm, serve

__all__ = ["engine_args", "llm", "serve"]

_HOME = dict.fromkeys(__all__, f"{__name__}.launch")
__getattr__ = lazy(__name__, _HOME)
