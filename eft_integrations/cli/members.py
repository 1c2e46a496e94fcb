"""Which members: the options that every command shares, and the engine they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from signal import SIGINT
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eft_integrations import tiny
from eft_integrations.cli import values
from eft_integrations.cli.boundary import interrupted_by
from eft_integrations.errors import InvalidRequest
from eft_integrations.mixture import Mixture, Roles, effective, resolve

if TYPE_CHECKING:
    from eft_integrations.engine import Engine, EngineConfig

_PANEL = "Members (default: the embedded demonstration family)"

BaseOption = Annotated[
    str | None,
    typer.Option(
        "--base", metavar="PATH", help="Large model: folder or hub id.", rich_help_panel=_PANEL
    ),
]
TunedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tuned",
        metavar="[NAME=]PATH",
        rich_help_panel=_PANEL,
        help="Small tuned model; again with names for several.",
    ),
]
ReferenceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        metavar="[NAME=]PATH",
        rich_help_panel=_PANEL,
        help="The small model before tuning.",
    ),
]
DtypeOption = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        metavar="NAME",
        rich_help_panel=_PANEL,
        help="auto, float32, bfloat16 or float16.",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="NAME", rich_help_panel=_PANEL, help="auto, cpu, cuda, cuda:1, mps …"
    ),
]


@dataclass(frozen=True, kw_only=True)
class Members:
    """What was said about members; nothing at all means the embedded family.

    ``embedded`` names its tuned members, one or several.
    """

    base: str | None = None
    tuned: list[str] | None = None
    reference: list[str] | None = None
    dtype: str | None = None
    device: str | None = None
    embedded: str | tuple[str, ...] = "helpful"

    def __post_init__(self) -> None:
        if not self.are_embedded and self.base is None:
            raise InvalidRequest(
                "--tuned and --reference need --base beside them; give the trio, or none of them "
                "for the embedded family"
            )

    @property
    def are_embedded(self) -> bool:
        return not (self.base or self.tuned or self.reference)

    @property
    def by_role(self) -> dict[str, Any]:
        """``base``, ``tuned`` and ``reference`` as the engine takes them, where they are there."""
        if self.are_embedded:
            return tiny.trio(self.embedded)
        given = {
            "base": self.base,
            "tuned": values.members("--tuned", self.tuned or ()),
            "reference": values.members("--reference", self.reference or ()),
        }
        return {role: member for role, member in given.items() if member is not None}

    @property
    def placement(self) -> dict[str, str]:
        """dtype and device, where they were given."""
        given = {"dtype": self.dtype, "device": self.device}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def roles(self) -> Roles:
        """The roles of the engine that ``open`` would build."""
        from eft_integrations.engine.config import name_roles

        by_role = self.by_role
        roles, _ = name_roles(*(by_role.get(role) for role in ("base", "tuned", "reference")))
        return roles

    def plan(self) -> EngineConfig:
        """The settings that ``open`` would use, for an examination."""
        from eft_integrations.engine import EngineConfig

        # Engine.tiny's own dtype, unless another was asked for.
        own = {"dtype": "float32"} if self.are_embedded else {}
        return EngineConfig.of(**self.by_role, **{**own, **self.placement})

    def open(self, *mixtures: Mixture, **settings: int) -> Engine:
        """Load them; the first mixture becomes the default. All are refused before the loading."""
        by_role = self.by_role
        _refuse_nothing_to_mix(by_role, mixtures[0])
        from eft_integrations.engine import Engine

        roles = self.roles
        for mixture in mixtures:
            resolve(effective(mixture, roles.default()), roles)
        common: dict[str, Any] = {**self.placement, **settings, "mixture": mixtures[0]}
        with interrupted_by(SIGINT):
            if self.are_embedded:
                return Engine.tiny(tuned=self.embedded, **common)
            return Engine.from_pretrained(**by_role, **common)


def _refuse_nothing_to_mix(by_role: Mapping[str, Any], mixture: Mixture) -> None:
    missing = [f"--{role}" for role in ("tuned", "reference") if role not in by_role]
    if missing and not mixture.has_form:
        raise InvalidRequest(
            f"--base without {' and '.join(missing)} has nothing to mix; add it, or ask the base "
            f"model alone with --alpha 0"
        )
