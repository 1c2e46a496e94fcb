"""LangChain: ``ChatEFT``, ``EFTLLM``, and ``EFTAlphaMiddleware`` for agents.

Needs langchain-core (``pip install 'eft-integrations[langchain]'``), the middleware langchain.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eft_integrations.langchain.chat import ChatEFT
    from eft_integrations.langchain.llm import EFTLLM
    from eft_integrations.langchain.middleware import EFTAlphaMiddleware

__all__ = ["EFTLLM", "ChatEFT", "EFTAlphaMiddleware"]

_HOME = {"ChatEFT": "chat", "EFTLLM": "llm", "EFTAlphaMiddleware": "middleware"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import langchain_core  # noqa: F401 — only to tell what is missing
    except ImportError as error:
        raise ImportError(
            "eft_integrations.langchain needs langchain-core: "
            "pip install 'eft-integrations[langchain]'"
        ) from error
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
