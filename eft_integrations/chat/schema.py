"""JSON schemas as a model fills them: objects have the properties that they name, and no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eft_integrations.errors import InvalidRequest

# As chat templates write JSON, and so as models have seen it.
_LAYOUT = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "coerce_one_of": True,
}
_BY_NAME = ("properties", "$defs", "definitions", "patternProperties")
_ONE = ("items", "additionalProperties")
_SEVERAL = ("anyOf", "oneOf", "prefixItems")
# What the grammar can hold strings to.
FORMATS = frozenset("date-time time date duration email hostname ipv4 ipv6 uuid uri".split())


def closed(schema: Any) -> Any:
    """The same schema with ``additionalProperties: false`` where an object says nothing of them.

    Parts of an ``allOf`` stay open, since each sees the properties of the others. Formats that the
    grammar does not know are notes for the reader, as JSON Schema has them; ``uniqueItems``, which
    it cannot hold, is what Python's sets bring with them, and make good themselves.
    """
    if not isinstance(schema, Mapping):
        return schema
    shut = {key: part for key, part in schema.items() if key != "uniqueItems"}
    if isinstance(shut.get("format"), str) and shut["format"] not in FORMATS:
        del shut["format"]
    for key in _BY_NAME:
        if isinstance(shut.get(key), Mapping):
            shut[key] = {name: closed(part) for name, part in shut[key].items()}
    for key in _ONE:
        if key in shut:
            shut[key] = closed(shut[key])
    for key in _SEVERAL:
        if isinstance(shut.get(key), (list, tuple)):
            shut[key] = [closed(part) for part in shut[key]]
    if "properties" in shut and "allOf" not in shut:
        shut.setdefault("additionalProperties", False)
    return shut


def in_envelope(
    response_format: Mapping[str, Any], plain: Callable[[Mapping[str, Any]], Any] = dict
) -> dict[str, Any] | None:
    """The schema of an answer in OpenAI's ``response_format``; None where it is any text.

    What is no envelope is a schema, which ``plain`` takes.
    """
    kind = response_format.get("type")
    if kind == "json_schema":
        return _schema_in(response_format.get("json_schema", response_format))
    if kind == "json_object":
        return _schema_in({"schema": {"type": "object"}, **response_format})
    return None if kind == "text" else dict(plain(response_format))


def _schema_in(envelope: object) -> dict[str, Any]:
    schema = envelope.get("schema") if isinstance(envelope, Mapping) else None
    if not isinstance(schema, Mapping):
        raise InvalidRequest(
            f"a response_format holds a JSON schema as 'schema', got {envelope!r}; give "
            f"{{'type': 'json_schema', 'json_schema': {{'name': …, 'schema': {{…}}}}}}"
        )
    return dict(schema)


def for_arguments(schema: Any) -> dict[str, Any]:
    """What the arguments of a tool must be: always an object, and closed."""
    if schema is None or schema == {}:
        schema = {"properties": {}}
    if not isinstance(schema, Mapping):
        raise InvalidRequest(f"a tool's parameters must be a JSON schema, got {schema!r}")
    if schema.get("type", "object") != "object":
        raise InvalidRequest(f"a tool's parameters must be of type 'object', got {schema!r}")
    return {"type": "object", **for_output(schema)}


def for_output(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as the grammar takes it: closed, and laid out as templates write JSON."""
    return {**closed(schema), "x-guidance": _LAYOUT}
