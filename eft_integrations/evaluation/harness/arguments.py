"""``--model_args`` → an engine and a mixture. Knows nothing of the harness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from eft_integrations import checks
from eft_integrations.engine import Engine, MemberConfig
from eft_integrations.errors import InvalidRequest, refuse_unknown
from eft_integrations.mixture import Mixture
from eft_integrations.request import MAX_SEED

_AUTO_SLOTS = 16  # the engine's own default
# What the harness's command passes where nobody named a device; its own models then take what there
# is, and so does "auto", which begins with the first CUDA device too.
_DEVICE_OF_THE_COMMAND = "cuda:0"
_OF_AN_ENGINE = (
    "base",
    "tuned",
    "reference",
    "dtype",
    "device",
    "batch_size",
    "max_batch_size",
    "trust_remote_code",
)


@dataclass(frozen=True, kw_only=True)
class ModelArguments:
    """Everything that ``--model_args`` may hold, as the harness parsed it.

    Several members or coefficients are a mapping, or a string ``name:value;name:value``. No member
    at all means the embedded family. ``max_length``: tokens that a member reads, the last one of a
    text not counted, as in the harness. ``batch_size``: requests that run at once; "auto" takes 16.
    """

    base: Any = None
    tuned: Any = None
    reference: Any = None
    dtype: str = "auto"
    device: str = "auto"
    alpha: float | str | Mapping[str, float] | None = None
    beta: float | None = None
    weights: str | Mapping[str, float] | None = None
    filter_top_p: float | None = None
    max_length: int | None = None
    max_gen_toks: int = 256
    batch_size: int | str = "auto"
    max_batch_size: int | None = None
    seed: int = 1234
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if self.max_length is not None:
            checks.integer("max_length", self.max_length, low=2)
        checks.integer("max_gen_toks", self.max_gen_toks, low=1)
        checks.integer("seed", self.seed, low=0, high=MAX_SEED)
        checks.flag("trust_remote_code", self.trust_remote_code)

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """Checked arguments; raises ``UnknownOption`` with a suggestion, or ``InvalidRequest``."""
        refuse_unknown("model argument", arguments, [spec.name for spec in fields(cls)])
        return cls(**arguments)

    @property
    def num_slots(self) -> int:
        """Requests that run at once."""
        if self.batch_size == "auto":
            most = self.max_batch_size
            return _AUTO_SLOTS if most is None else checks.integer("max_batch_size", most, low=1)
        if self.max_batch_size is not None:
            raise InvalidRequest(
                f"max_batch_size={self.max_batch_size} bounds batch_size=auto, got batch_size="
                f"{self.batch_size}; give one of them"
            )
        size = str(self.batch_size)
        if not size.isdecimal() or int(size) < 1:
            raise InvalidRequest(
                f"batch_size must be 'auto' or a whole number of at least 1, "
                f"got {self.batch_size!r}"
            )
        return int(size)

    @property
    def mixture(self) -> Mixture | None:
        """The coefficients of every request; None: the engine's default."""
        given = {
            "alpha": _numbers("alpha", self.alpha),
            "beta": self.beta,
            "weights": _numbers("weights", self.weights),
            "filter_top_p": self.filter_top_p,
        }
        return Mixture(**given) if any(value is not None for value in given.values()) else None

    def open_engine(self) -> Engine:
        """Load the members, or the embedded family where none is named."""
        settings: dict[str, Any] = {"max_slots": self.num_slots, "mixture": self.mixture}
        if self.device != _DEVICE_OF_THE_COMMAND:
            settings["device"] = self.device
        if self.max_length is not None:
            settings["max_context"] = self.max_length + 1
        if self.dtype != "auto":  # the family is float32 where nothing is said
            settings["dtype"] = self.dtype
        members = {name: self._members(name) for name in ("base", "tuned", "reference")}
        if all(member is None for member in members.values()):
            return Engine.tiny(**settings)
        return Engine.from_pretrained(**members, **settings)

    def _members(self, name: str) -> Any:
        given = getattr(self, name)
        if isinstance(given, str) and ";" in given:
            given = _pairs(name, given, at_last=False)
        if isinstance(given, Mapping) and "path" not in given:
            return {key: self._member(member) for key, member in given.items()}
        return self._member(given)

    def _member(self, member: Any) -> Any:
        """A member that was given as a whole config has its own word on remote code."""
        if self.trust_remote_code and isinstance(member, (str, Path)):
            return MemberConfig(path=member, trust_remote_code=True)
        return member


def refuse_settings_of_an_engine(arguments: Mapping[str, Any]) -> None:
    """An open engine has its members and its place already."""
    for name in _OF_AN_ENGINE:
        if name in arguments:
            raise InvalidRequest(
                f"engine= and {name}= exclude each other; give {name} where the engine is opened"
            )


def _numbers(name: str, given: Any) -> Any:
    """Coefficients by name where they are written as a string; anything else as it is."""
    if not isinstance(given, str):
        return given
    pairs = _pairs(name, given, at_last=True)
    try:
        return {key: float(value) for key, value in pairs.items()}
    except ValueError as error:
        raise InvalidRequest(f"{name}={given!r} must hold numbers: {error}") from error


def _pairs(name: str, text: str, *, at_last: bool) -> dict[str, str]:
    """``a:x;b:y`` as a mapping; ``at_last``: names may hold colons (roles do), else values may."""
    pairs: dict[str, str] = {}
    for part in filter(str.strip, text.split(";")):
        key, colon, value = (part.rpartition if at_last else part.partition)(":")
        key, value = key.strip(), value.strip()
        if not colon or not key or not value:
            raise InvalidRequest(
                f"{name}={text!r} must be name:value pairs with ';' between them, got {part!r}"
            )
        if key in pairs:
            raise InvalidRequest(f"{name}={text!r} names {key!r} twice; give each name once")
        pairs[key] = value
    return pairs
