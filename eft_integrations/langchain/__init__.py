"""LangChain: ``ChatEFT``, ``EFTLLM``, and ``EFTAlphaMiddleware`` for agents.

Needs langchain-core (``pip install 'eft-integrations[langchain]'``), the middleware langchain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eft_integrations.lazy import lazy

if TYPE_CHECKING:
    from eft_integrations.langchain.chat import ChatEFT
    from eft_integrations.langchain.llm import EFTLLM
    from eft_integrations.langchain.middleware import EFTAlphaMiddleware

__all__ = ["EFTLLM", "ChatEFT", "EFTAlphaMiddleware"]

_HOME = {
    "ChatEFT": f"{__name__}.chat",
    "EFTLLM": f"{__name__}.llm",
    "EFTAlphaMiddleware": f"{__name__}.middleware",
}
__getattr__ = lazy(__name__, _HOME, needs="langchain_core", extra="langchain")
