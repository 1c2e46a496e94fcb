"""Options of a call: which there are, and which of several givers is heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eft_integrations import checks
from eft_integrations.errors import InvalidRequest
from eft_integrations.options import CONSTRAINT_KEYS, GENERATE_KEYS

FORMS = frozenset({"alpha", "beta", "weights"})
# What a generation is asked for, one keyword each.
OPTIONS = GENERATE_KEYS - {"sampling", "mixture"}
CHAT_OPTIONS = frozenset(
    {
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "templates",
        "dialect",
        "reasoning",
    }
)
_ANY = ("any", "required", True)


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``; None stands for not given.

    A form of mixture replaces any other, and stop strings are those of both.
    """
    given = {key: value for key, value in above.items() if value is not None}
    kept = {k: v for k, v in below.items() if not (k in FORMS and FORMS & set(given))}
    stops = joined_stops(kept.get("stop"), given.get("stop"))
    return {**kept, **given, **({"stop": stops} if stops else {})}


def call_options(
    own: Mapping[str, Any], keywords: Mapping[str, Any], stop: Any = None
) -> dict[str, Any]:
    """Keywords of ``Engine.generate``: the call's over the model's, stop strings of both."""
    given = {key: value for key, value in keywords.items() if key in OPTIONS}
    return {"max_tokens": None, **overlaid(overlaid(own, given), {"stop": stop})}


def joined_stops(*stops: Any) -> list[str] | None:
    """The stop strings of all levels, each once."""
    each: list[str] = []
    for stop in stops:
        each.extend(checks.strings("stop", stop))
    return list(dict.fromkeys(each)) or None


def refuse_clash(options: Mapping[str, Any]) -> None:
    """Raises ``InvalidRequest`` where tools or a response format meet a constraint."""
    clash = next((key for key in CONSTRAINT_KEYS if options.get(key) is not None), None)
    if clash is not None:
        raise InvalidRequest(
            f"{clash}= and tools or response_format exclude each other; give one of them"
        )


def choice_of(tool_choice: Any) -> str:
    """The word "auto", "none", "any" or a tool's name, from any provider's way to say it."""
    if tool_choice is None or tool_choice is False:
        return "auto"
    if isinstance(tool_choice, Mapping):
        function = tool_choice.get("function") or tool_choice
        tool_choice = function.get("name") or tool_choice.get("type")
    if tool_choice in _ANY:
        return "any"
    if not isinstance(tool_choice, str):
        raise InvalidRequest(f"tool_choice must be a string or a mapping, got {tool_choice!r}")
    return tool_choice
