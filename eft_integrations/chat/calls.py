"""Calls of former turns → as chat templates take them."""

from __future__ import annotations

import json
from typing import Any

from eft_integrations.errors import InvalidRequest


def call(call_id: str | None, name: str, arguments: Any) -> dict[str, Any]:
    """A call; its name is its id where it has none. ``arguments``: an object, or its JSON text."""
    function = {"name": name, "arguments": _object(arguments)}
    return {"id": call_id or name, "type": "function", "function": function}


def call_of(raw: Any) -> dict[str, Any]:
    """A call as OpenAI's API writes it."""
    match raw:
        case {"function": {"name": str(name), **rest}}:
            return call(raw.get("id"), name, rest.get("arguments"))
    raise InvalidRequest(f"a call holds {{'function': {{'name': …, 'arguments': …}}}}, got {raw!r}")


def _object(arguments: Any) -> Any:
    """Arguments as an object; text that is no JSON stays as it is, for the model to see."""
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments
