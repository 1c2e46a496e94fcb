"""Options for all that runs inside a ``with``: LlamaIndex passes no keywords down to its models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from eft_integrations.chat.options import overlaid
from eft_integrations.engine.sharing import SharedEngine
from eft_integrations.llama_index.holding import held_here, holding


def overrides_of(engine: SharedEngine) -> Mapping[str, Any]:
    """The options that hold here for the models of an engine."""
    return held_here().overrides.get(engine, {})


@contextmanager
def overriding(engine: SharedEngine, options: Mapping[str, Any]) -> Iterator[None]:
    """These options over those that hold already."""
    held = held_here()
    inner = overlaid(overrides_of(engine), options)
    with holding(replace(held, overrides={**held.overrides, engine: inner})):
        yield
