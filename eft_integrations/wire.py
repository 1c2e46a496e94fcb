"""A mixture as it travels with a request to vLLM: flat ``eft_`` keys with JSON's plain values.

``vllm_xargs`` of an OpenAI request takes numbers and texts, but no mappings; so whatever is a
mapping is its JSON text: ``{"eft_alpha": '{"helpful": 0.7, "harmless": 0.3}'}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields

from eft_integrations.errors import InvalidRequest, refuse_unknown
from eft_integrations.mixture import Mixture, Plausibility

PREFIX = "eft_"
PROBE = {PREFIX + "alpha": "?"}  # refused by all who read these keys
WIRE_KEYS = tuple(PREFIX + spec.name for spec in fields(Mixture))


def to_wire(mixture: Mixture) -> dict[str, float | str]:
    """The keys that say ``mixture``; none for one that says nothing."""
    told = {spec.name: getattr(mixture, spec.name) for spec in fields(Mixture)}
    return {PREFIX + name: _flat(value) for name, value in told.items() if value is not None}


def from_wire(arguments: Mapping[str, object] | None) -> Mixture | None:
    """The mixture that the ``eft_`` keys say; None where there are none. Other keys are passed by.

    A text is read as JSON; a mapping counts as it is. Raises ``UnknownOption``,
    ``InvalidRequest``.
    """
    ours = {key: value for key, value in (arguments or {}).items() if key.startswith(PREFIX)}
    refuse_unknown("key", ours, WIRE_KEYS)
    told = {key.removeprefix(PREFIX): _read(key, value) for key, value in ours.items()}
    if told.get("mask") is not None:
        told["mask"] = _plausibility(told["mask"])
    given = {name: value for name, value in told.items() if value is not None}
    return Mixture(**given) if given else None  # type: ignore[arg-type] # checked by Mixture


def _flat(value: object) -> float | str:
    if isinstance(value, Plausibility):
        value = {name: part for name, part in asdict(value).items() if part is not None}
    return json.dumps(dict(value)) if isinstance(value, Mapping) else value  # type: ignore[return-value]


def _read(key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):  # ValueError: no JSON, or a number of too many digits
        raise InvalidRequest(
            f"{key} must be a number or the JSON text of a mapping, got {value!r}"
        ) from None


def _plausibility(value: object) -> Plausibility:
    if not isinstance(value, Mapping):
        example = '{"role": "base", "min_ratio": 0.1}'
        raise InvalidRequest(f"eft_mask must be a mapping such as {example}, got {value!r}")
    return Plausibility(**{str(name): part for name, part in value.items()})
