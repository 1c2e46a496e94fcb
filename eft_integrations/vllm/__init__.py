"""Emulated fine-tuning inside vLLM: the up-scaled model as one more vLLM model.

``llm`` is vLLM's offline ``LLM``, ``serve`` its OpenAI server (``eft serve-vllm``). Needs vLLM
(``pip install 'eft-integrations[vllm]'``), which is imported inside the functions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eft_integrations.lazy import lazy

if TYPE_CHECKING:
    from eft_integrations.vllm.launch import engine_args, llm, serve
    from eft_integrations.vllm.widening import embedded

__all__ = ["embedded", "engine_args", "llm", "serve"]

_HOME = {
    "embedded": f"{__name__}.widening",
    **dict.fromkeys(("engine_args", "llm", "serve"), f"{__name__}.launch"),
}
__getattr__ = lazy(__name__, _HOME)
