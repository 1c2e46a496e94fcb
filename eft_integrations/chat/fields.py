"""What faces declare as fields: the members of their engine, and the options of its requests.

Needs pydantic, which every framework that has such faces brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eft_integrations import tiny
from eft_integrations.chat.local import EngineSpeaker
from eft_integrations.chat.options import OPTIONS, overlaid
from eft_integrations.chat.speaker import Speaker
from eft_integrations.engine import Engine
from eft_integrations.engine.config import EngineConfig, MemberConfig
from eft_integrations.engine.sharing import SharedEngine, shared, shared_with
from eft_integrations.errors import InvalidRequest, UnknownOption, refuse_unknown
from eft_integrations.mixture import Mixture, Plausibility
from eft_integrations.options import parse

_MEMBERS = ("base", "tuned", "reference")
_PLACES = ("dtype", "device")
_SIZES = (
    "max_slots",
    "max_context",
    "kv_memory",
    "max_queue",
    "prefill_chunk",
    "prefix_memory",
    "lookup",
    "mixture",
)
_THREE = "a mixture has three members: give base=, tuned= and reference="
# How other models call what is here: the nearest name would be another thing.
_ELSEWHERE = {
    "model_name": _THREE,
    "model_path": _THREE,
    "model_id": _THREE,
    "tokenizer_name": "each member brings its own tokenizer; leave it out",
    "api_base": "did you mean 'base_url'?",
    "context_window": "it is read from the members; max_context= shortens it",
    "generate_kwargs": "give each of its options as a setting of its own",
    "model_kwargs": "give dtype= and device=, or a MemberConfig for a member",
    "is_chat_model": "it always is one; leave it out",
}
SETTINGS = (*_MEMBERS, *_PLACES, *_SIZES)  # of an engine in this process


class EngineFields(BaseModel):
    """Settings of ``Engine.from_pretrained`` and options of ``Engine.generate``, as fields.

    Without members it is the embedded family. None stands for the engine's own default, but for
    ``max_tokens``, where it is the end of the context. ``model`` is the name under which answers
    are reported.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())

    base: Any = None
    tuned: Any = None
    reference: Any = None
    engine: Any = Field(default=None, exclude=True, repr=False)
    dtype: str | None = None
    device: str | None = None
    max_slots: int | None = None
    max_context: int | None = None
    kv_memory: int | None = None
    max_queue: int | None = None
    prefill_chunk: int | None = None
    prefix_memory: int | None = None
    lookup: bool | None = None
    mixture: Mixture | None = None
    model: str | None = None

    alpha: float | Mapping[str, float] | None = None
    beta: float | None = None
    weights: Mapping[str, float] | None = None
    filter_top_p: float | None = None
    mask: Plausibility | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[int, float] | None = None
    seed: int | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    stop: str | list[str] | None = None
    stop_token_ids: list[int] | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    speculation: int | Literal["auto", "off"] | None = None
    json_schema: Any = None
    regex: str | None = None
    choice: list[str] | None = None
    grammar: str | None = None
    close_within_budget: bool | None = None
    contributions: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_fields(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            for name in values:
                if name in _ELSEWHERE and name not in cls.model_fields:
                    told = f"unknown setting of {cls.__name__} {name!r}; {_ELSEWHERE[name]}"
                    raise UnknownOption(told)
            refuse_unknown(f"setting of {cls.__name__}", values, cls.model_fields)
        return values

    @model_validator(mode="after")
    def _find_engine(self) -> Self:
        self.engine = self.found_engine()
        self.refuse_options(self.engine_options())
        return self

    def found_engine(self) -> SharedEngine:
        """The engine of these fields, given or by its settings; nothing is loaded."""
        if isinstance(self.engine, SharedEngine):
            return self.engine
        if self.engine is None:
            return shared(_engine_config(self))
        if not isinstance(self.engine, Engine):
            raise InvalidRequest(f"engine must be an Engine, got {self.engine!r}")
        for name in ("base", "tuned", "reference", *_PLACES, *_SIZES):
            if getattr(self, name) is not None:
                raise InvalidRequest(f"{name}= and engine= exclude each other; give one of them")
        return shared_with(self.engine)

    def refuse_options(self, options: Mapping[str, Any]) -> None:
        """Raise ``UnknownOption`` or ``InvalidRequest`` for what no call could obey."""
        parse(options)

    @property
    def open_engine(self) -> Engine:
        """The engine; loads the members on first use."""
        found: Engine = self.engine.get()
        return found

    @property
    def speaker(self) -> Speaker:
        """Who answers; opened on first use."""
        return EngineSpeaker(self.open_engine)

    @property
    def most_at_once(self) -> int:
        """Calls that are of use at once: every slot is taken, and the next rows are ready."""
        return 2 * int(self.engine.config.max_slots)

    @property
    def model_name(self) -> str:
        """What answers are reported as: ``model``, or the members' own names."""
        if self.model is not None:
            return self.model
        return "eft:" + self._own_name()

    def _own_name(self) -> str:
        """Of whoever answers."""
        members = self.engine.config.members.items()
        return "+".join(Path(m.path).name for role, m in members if "reference" not in role)

    def engine_options(self) -> dict[str, Any]:
        """The options that are set, as keywords of ``Engine.generate``."""
        given = {name: getattr(self, name) for name in OPTIONS}
        return {name: value for name, value in given.items() if value is not None}

    def with_options(self, **options: Any) -> Self:
        """A copy with other options, on the same engine. Raises as ``Engine.generate`` does."""
        refuse_unknown("option", options, OPTIONS)
        new = overlaid(self.engine_options(), options)
        self.refuse_options(new)
        copy = self.model_copy(update={**dict.fromkeys(OPTIONS), **new})
        copy.__dict__.pop("_serialized", None)  # core's cached property would tell the old ones
        return copy

    def with_alpha(self, alpha: float | Mapping[str, float], **options: Any) -> Self:
        """A copy with another alpha, on the same engine."""
        return self.with_options(alpha=alpha, **options)

    def identity(self) -> dict[str, Any]:
        """Everything that an answer depends on, for cache keys and traces."""
        return {"model": self.model_name, **self._whereabouts(), **self.engine_options()}

    def _whereabouts(self) -> dict[str, Any]:
        """What tells those who answer apart."""
        config: EngineConfig = self.engine.config
        members = {
            role: f"{member.path}@{member.revision or ''}:{member.dtype}"
            for role, member in config.members.items()
        }
        default = {} if config.mixture is None else {"mixture": repr(config.mixture)}
        return {"members": members, **default}

    def plain_settings(self) -> dict[str, Any]:
        """Members, and the settings of an engine that was given, as values that JSON can hold.

        From them the same fields find the same engine again. A member's token is left out.
        """
        if self.base is None and self.engine.config != _engine_config(self):
            config: EngineConfig = self.engine.config
            sizes = {name: getattr(config, name) for name in _SIZES}
            return {**{n: _plain(v) for n, v in config.by_keyword().items()}, **sizes}
        return {name: _plain(getattr(self, name)) for name in _MEMBERS}


def _engine_config(fields: EngineFields) -> EngineConfig:
    """The settings of the engine that the members and sizes ask for."""
    names = (*_PLACES, *_SIZES)
    given = {n: v for n in names if (v := getattr(fields, n)) is not None}
    if fields.base is not None:
        members = {"base": fields.base, "tuned": fields.tuned, "reference": fields.reference}
        return EngineConfig.of(**members, **given)
    if fields.reference is not None:
        raise InvalidRequest("reference= needs base=; give the large model, or leave both out")
    family = tiny.trio("helpful" if fields.tuned is None else fields.tuned)
    return EngineConfig.of(**family, **{"dtype": "float32", **given})


def _plain(member: Any) -> Any:
    """A member, or several by name, with paths as text."""
    if isinstance(member, Path):
        return str(member)
    if isinstance(member, MemberConfig):
        return member.as_settings()
    if isinstance(member, Mapping):
        return {name: _plain(value) for name, value in member.items()}
    return member
