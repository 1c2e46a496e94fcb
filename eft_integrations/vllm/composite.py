"""What the model inside vLLM must know beside the large model's own config; travels as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from eft_integrations.mixture import Mixture, Roles, Terms, effective, resolve
from eft_integrations.wire import from_wire, to_wire

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Speakers:
    """Who may be heard, and how loudly where a request says nothing."""

    roles: Roles
    default: Mixture

    def terms(self, arguments: Mapping[str, object] | None) -> Terms:
        """What a request's ``extra_args`` ask for. Raises ``UnknownOption``, ``InvalidRequest``."""
        return resolve(effective(from_wire(arguments), self.default), self.roles)

    def as_settings(self) -> dict[str, Any]:
        return {
            "tuned": list(self.roles.tuned),
            "reference_of": dict(self.roles.reference_of),
            "available": list(self.roles.available),
            "default": to_wire(self.default),
        }

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Speakers:
        roles = Roles(
            tuned=tuple(settings["tuned"]),
            reference_of=settings["reference_of"],
            available=tuple(settings["available"]),
        )
        return cls(roles=roles, default=from_wire(settings["default"]) or roles.default())

    def as_name(self) -> str:
        """The settings as part of a Python name, for where vLLM takes nothing but names."""
        return json.dumps(self.as_settings()).encode().hex()

    @classmethod
    def of_name(cls, name: str) -> Speakers:
        return cls.of(json.loads(bytes.fromhex(name)))


def class_named(name: str, parent: type[T]) -> type[T]:
    """``<parent>_<speakers>``: vLLM is given a class by its name, and asks it without more."""
    kind, mark, speakers = name.partition("_")
    if not mark or kind != parent.__name__:
        raise AttributeError(f"module {parent.__module__!r} has no attribute {name!r}")
    return type(name, (parent,), {"speakers": Speakers.of_name(speakers)})


@dataclass(frozen=True, kw_only=True)
class Composite:
    """The members of one model.

    ``architectures`` and ``vocab_size`` are the large model's own, which vLLM sees overridden;
    ``paths`` tells where each small member lies, by role; ``num_shared`` ids mean the same in all.
    """

    architectures: tuple[str, ...]
    vocab_size: int
    paths: Mapping[str, str]
    num_shared: int
    speakers: Speakers

    def as_settings(self) -> dict[str, Any]:
        return {
            "architectures": list(self.architectures),
            "vocab_size": self.vocab_size,
            "paths": dict(self.paths),
            "num_shared": self.num_shared,
            "speakers": self.speakers.as_settings(),
        }

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Composite:
        return cls(
            architectures=tuple(settings["architectures"]),
            vocab_size=settings["vocab_size"],
            paths=settings["paths"],
            num_shared=settings["num_shared"],
            speakers=Speakers.of(settings["speakers"]),
        )
