"""Bound and given keywords, and the runtime config → the options of one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from eft_integrations.chat.options import CHAT_OPTIONS, OPTIONS, overlaid
from eft_integrations.errors import refuse_unknown

# Of every provider's models; for a server, and without a meaning for a model that runs here.
TOLERATED = frozenset({"api_key", "max_retries"})
# ``stream`` and ``model`` steer LangChain itself: how a call runs, and what it is reported as.
STEERING = frozenset({"stream", "model"})

CONFIGURABLE = (
    "alpha",
    "beta",
    "weights",
    "filter_top_p",
    "temperature",
    "top_p",
    "max_tokens",
    "seed",
)
PREFIX = "eft_"


def refuse_unknown_options(keywords: Mapping[str, Any], *, is_chat: bool) -> None:
    """Raises ``UnknownOption`` with a suggestion."""
    known = OPTIONS | STEERING | TOLERATED | (CHAT_OPTIONS if is_chat else frozenset())
    refuse_unknown("option", keywords, known)


def configured(config: RunnableConfig | None, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """``keywords`` over what ``config["configurable"]`` says as ``eft_alpha`` and its like.

    Raises ``UnknownOption`` for a key that begins like ours and is none.
    """
    found = {
        key.removeprefix(PREFIX): value
        for key, value in (ensure_config(config).get("configurable") or {}).items()
        if key.startswith(PREFIX)
    }
    refuse_unknown("eft_ key of configurable", found, CONFIGURABLE)
    # a None among the keywords stays: it may be one of LangChain's own
    return {**overlaid(found, {k: v for k, v in keywords.items() if k in OPTIONS}), **keywords}
