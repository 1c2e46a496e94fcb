"""Frozen settings of an engine and its members; an unknown key is an error that suggests one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from eft_integrations import checks
from eft_integrations.errors import InvalidRequest, UnknownOption, refuse_unknown
from eft_integrations.mixture import BASE, REFERENCE, Mixture, Roles

DTYPES = ("auto", "float32", "bfloat16", "float16")
# Only these read the per-row masks of a ragged batch.
ATTENTION = ("sdpa", "eager")


@checks.refusing_unknown
@dataclass(frozen=True, kw_only=True)
class MemberConfig:
    """One member: where it lies and how it is placed.

    ``path``: a folder or a hub id. ``dtype`` "auto": bfloat16 on a CPU with AVX512-BF16 or AMX,
    float32 on other CPUs, the checkpoint's own on CUDA and MPS. ``device`` "auto": CUDA, then MPS,
    then CPU; ``device_map``, ``max_memory`` and ``quantization_config`` go to transformers and
    accelerate. Weights load from safetensors and without remote code unless asked otherwise.
    """

    path: str | Path = field(kw_only=False)
    dtype: str | None = None
    device: str | None = None
    device_map: str | Mapping[str, Any] | None = None
    max_memory: Mapping[int | str, int | str] | None = None
    quantization_config: Any = None
    attn_implementation: str | None = None
    revision: str | None = None
    token: str | bool | None = field(default=None, repr=False)
    cache_dir: str | Path | None = None
    local_files_only: bool = False
    trust_remote_code: bool = False
    use_safetensors: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.path, (str, Path)) or not str(self.path):
            raise InvalidRequest(f"a member's path must be a folder or hub id, got {self.path!r}")
        if str(self.path).startswith("~"):
            object.__setattr__(self, "path", Path(self.path).expanduser())
        if self.revision is not None and Path(self.path).is_dir():
            raise InvalidRequest(
                f"revision={self.revision!r} needs a hub id, but {str(self.path)!r} is a folder; "
                f"leave it out"
            )
        _one_of("dtype", self.dtype, DTYPES)
        _one_of("attn_implementation", self.attn_implementation, ATTENTION)
        for name in ("dtype", "device", "attn_implementation", "revision"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InvalidRequest(f"{name} must be a string, got {value!r}")
        if self.max_memory is not None and not isinstance(self.max_memory, Mapping):
            raise InvalidRequest(f"max_memory must map devices to sizes, got {self.max_memory!r}")
        if self.device is not None and self.device_map is not None:
            raise InvalidRequest(
                f"device={self.device!r} and device_map exclude each other; give one of them"
            )
        if self.max_memory is not None and self.device_map is None:
            raise InvalidRequest("max_memory needs a device_map; add device_map='auto'")
        for name in ("local_files_only", "trust_remote_code", "use_safetensors"):
            checks.flag(name, getattr(self, name))

    @classmethod
    def of(cls, member: str | Path | MemberConfig | Mapping[str, Any]) -> MemberConfig:
        """A folder, a hub id, a mapping of settings, or a config as it is."""
        if isinstance(member, MemberConfig):
            return member
        if isinstance(member, Mapping):
            refuse_unknown("setting of a member", member, [spec.name for spec in fields(cls)])
            return cls(**member)
        return cls(path=member)

    def as_settings(self) -> dict[str, Any]:
        """What differs from the defaults, as :meth:`of` takes it; the token stays out."""
        told = [s.name for s in fields(self) if s.repr and getattr(self, s.name) != s.default]
        given = {name: getattr(self, name) for name in told}
        return {name: str(v) if isinstance(v, Path) else v for name, v in given.items()}


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Everything that fixes an engine. Sizes in tokens, ``kv_memory`` in bytes.

    ``max_slots`` requests run at once, ``max_queue`` more wait. ``max_context`` shortens the
    members' own. ``kv_memory`` bounds all caches together; None takes half of what is free.
    ``prefill_chunk``: prompt tokens a step, so that a long prompt never stalls running streams.
    ``prefix_memory``: bytes of ``kv_memory`` that keep texts which ended, so that a prompt that
    begins like one of them computes only the rest; None takes a quarter, 0 keeps none.
    ``lookup``: whether speculation may draft from what the text said before.
    """

    members: Mapping[str, MemberConfig]
    roles: Roles
    mixture: Mixture | None = None
    max_slots: int = 16
    max_context: int | None = None
    kv_memory: int | None = None
    max_queue: int = 256
    prefill_chunk: int = 512
    prefix_memory: int | None = None
    lookup: bool = True

    def __post_init__(self) -> None:
        checks.integer("max_slots", self.max_slots, low=1)
        checks.integer("max_queue", self.max_queue, low=0)
        checks.integer("prefill_chunk", self.prefill_chunk, low=1)
        checks.flag("lookup", self.lookup)
        if self.max_context is not None:
            checks.integer("max_context", self.max_context, low=1)
        if self.kv_memory is not None:
            checks.integer("kv_memory", self.kv_memory, low=1)
        if self.prefix_memory is not None:
            checks.integer("prefix_memory", self.prefix_memory, low=0)
        if self.mixture is not None and not isinstance(self.mixture, Mixture):
            raise InvalidRequest(f"mixture must be a Mixture, got {self.mixture!r}")

    @classmethod
    def of(
        cls,
        *,
        base: Any,
        tuned: Any = None,
        reference: Any = None,
        dtype: str = "auto",
        device: str = "auto",
        **settings: Any,
    ) -> EngineConfig:
        """The settings of ``Engine.from_pretrained``; refuses unknown ones with a suggestion."""
        own = [spec.name for spec in fields(cls) if spec.name not in ("members", "roles")]
        known = [*own, "base", "tuned", "reference", "dtype", "device"]
        refuse_unknown("setting of an engine", settings, known)
        if base is None:
            raise InvalidRequest("base is missing; give the large model's folder or hub id")
        roles, given = name_roles(base, tuned, reference)
        members = {role: _placed(MemberConfig.of(m), dtype, device) for role, m in given.items()}
        return cls(members=members, roles=roles, **settings)

    def by_keyword(self) -> dict[str, Any]:
        """The members as :meth:`of` takes them: ``base``, ``tuned`` and ``reference``."""
        tuned = {name: self.members[name] for name in self.roles.tuned if name in self.members}
        several = {
            name: self.members[role]
            for name, role in self.roles.reference_of.items()
            if role != REFERENCE
        }
        return {
            "base": self.members[BASE],
            "tuned": tuned.get("tuned") if set(tuned) <= {"tuned"} else tuned,
            "reference": several or self.members.get(REFERENCE),
        }


def _placed(member: MemberConfig, dtype: str, device: str) -> MemberConfig:
    """The engine's dtype and device where the member names none of its own."""
    has_place = member.device is not None or member.device_map is not None
    return replace(
        member,
        dtype=member.dtype or dtype,
        device=member.device if has_place else device,
    )


def name_roles(base: Any, tuned: Any, reference: Any) -> tuple[Roles, dict[str, Any]]:
    """Sort what a caller gave into roles: (roles, role → member).

    ``tuned`` may be one member or a mapping by name; ``reference`` one for all, or a mapping with
    the same keys, which become ``reference:<key>``.
    """
    members = {BASE: base}
    several = _by_name(tuned)
    names = several if several is not None else ({} if tuned is None else {"tuned": tuned})
    for name in names:
        if name in (BASE, "normaliser", "mask") or name.split(":")[0] == REFERENCE:
            raise InvalidRequest(f"{name!r} has a meaning of its own; name the tuned member anew")
    members.update(names)
    references = _by_name(reference)
    if references is None:
        members.update({} if reference is None else {REFERENCE: reference})
        reference_of = dict.fromkeys(names or ["tuned"], REFERENCE)
    else:
        _same_keys(names, references)
        members.update({f"{REFERENCE}:{name}": member for name, member in references.items()})
        reference_of = {name: f"{REFERENCE}:{name}" for name in names}
    # "tuned" is named even where it is missing, so that a mixture that needs it can say so.
    tuned_names = tuple(names) or ("tuned",)
    roles = Roles(tuned=tuned_names, reference_of=reference_of, available=tuple(members))
    return roles, members


def _by_name(given: Any) -> dict[str, Any] | None:
    """A mapping of members by name; None for one member (which may be a mapping of settings)."""
    if not isinstance(given, Mapping) or "path" in given:
        return None
    if not given:
        raise InvalidRequest("a mapping of members must not be empty; give at least one by name")
    for name in given:
        if not isinstance(name, str) or not name:
            raise InvalidRequest(f"members are named by strings, got {name!r}")
    return dict(given)


def _same_keys(tuned: Mapping[str, Any], references: Mapping[str, Any]) -> None:
    if set(tuned) != set(references):
        raise UnknownOption(
            f"reference= names {', '.join(references)}, but tuned= names {', '.join(tuned)}; "
            f"give one reference for all, or a mapping with the same keys"
        )


def _one_of(name: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise InvalidRequest(f"{name} must be one of {', '.join(known)}, got {value!r}")
