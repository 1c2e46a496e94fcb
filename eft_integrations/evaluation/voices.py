"""Who answers: each tuned member alone, the base, the up-scaled mixtures of a grid. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from eft_integrations.errors import InvalidRequest
from eft_integrations.mixture import BASE, Mixture, Roles, resolve

Form = Literal["alone", "alpha", "beta", "lambda"]

CEILING = "ceiling"
ALPHAS = (0.5, 1.0, 1.5)
LAMBDAS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One mixture under its name; ``value`` is its coefficient where it has one."""

    label: str
    mixture: Mixture
    form: Form = "alone"
    value: float | None = None

    @property
    def is_up_scaled(self) -> bool:
        return self.form != "alone"


@dataclass(frozen=True, kw_only=True)
class Lineup:
    """All voices of a run. ``frontier`` names the voice of each lambda; empty without a frontier.

    ``tuned`` is the drafter (the first tuned member). ``ceiling`` is a model of its own.
    """

    tuned: Voice
    base: Voice
    others: tuple[Voice, ...]
    grid: tuple[Voice, ...]
    frontier: Mapping[float, str]
    ceiling: Voice | None = None

    @property
    def of_the_trio(self) -> tuple[Voice, ...]:
        """The voices that one engine speaks with."""
        return (self.tuned, *self.others, self.base, *self.grid)

    @property
    def voices(self) -> tuple[Voice, ...]:
        return self.of_the_trio if self.ceiling is None else (*self.of_the_trio, self.ceiling)

    @property
    def drafted(self) -> Voice | None:
        """Whom the drafter's agreement is measured with: plain alpha nearest 1, else the first."""
        plain = [v for v in self.grid if v.form == "alpha" and v.mixture.filter_top_p is None]
        if plain:
            return min(plain, key=lambda voice: abs((voice.value or 0.0) - 1.0))
        return next(iter(self.grid), None)


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """What was asked for: the grid, and the weights of the first tuned member on the frontier.

    ``lambdas`` None: the usual ones where there are two tuned members.
    """

    alphas: Sequence[float] = ALPHAS
    betas: Sequence[float] = ()
    filters: Sequence[float] = ()
    lambdas: Sequence[float] | None = None

    @classmethod
    def of(
        cls,
        alphas: Sequence[float] | None,
        betas: Sequence[float] | None,
        filters: Sequence[float] | None,
        lambdas: Sequence[float] | None,
    ) -> Self:
        """The defaults wherever nothing was asked for."""
        return cls(
            alphas=alphas or ALPHAS, betas=betas or (), filters=filters or (), lambdas=lambdas
        )


def line_up(roles: Roles, asked: Coefficients, *, has_ceiling: bool) -> Lineup:
    """The voices for an engine's roles; raises ``InvalidRequest`` for bad coefficients.

    Nothing is answered twice: alpha 0 is the base, and a lambda may be a voice of the grid.
    """
    if not set(roles.tuned) <= set(roles.available):
        raise InvalidRequest(
            f"an evaluation needs base, tuned and reference, got only "
            f"{', '.join(roles.available)}; add the others"
        )
    drafter, *others = (_alone(name) for name in roles.tuned)
    voices = _grid(roles, asked)
    frontier = {}
    for weight in dict.fromkeys(_lambdas(roles, asked)):
        point = _point(roles, weight)
        same = next((voice for voice in voices if voice.mixture == point.mixture), None)
        voices.extend([] if same else [point])
        frontier[weight] = (same or point).label
    ceiling = Voice(label=CEILING, mixture=Mixture(weights={BASE: 1}))
    lineup = Lineup(
        tuned=drafter,
        base=_alone(BASE),
        others=tuple(others),
        grid=tuple(voices),
        frontier=frontier,
        ceiling=ceiling if has_ceiling else None,
    )
    _refuse_namesakes(lineup.voices)
    for voice in lineup.of_the_trio:
        resolve(voice.mixture, roles)
    return lineup


def _lambdas(roles: Roles, asked: Coefficients) -> Sequence[float]:
    """The weights of the frontier: the usual ones for two tuned members, none for others."""
    if len(roles.tuned) == 2:
        return LAMBDAS if asked.lambdas is None else asked.lambdas
    if asked.lambdas:
        raise InvalidRequest(
            f"lambda weighs two tuned members, got {len(roles.tuned)}; give two, or leave it out"
        )
    return ()


def _refuse_namesakes(voices: Sequence[Voice]) -> None:
    """Answers are kept by the names of their voices."""
    label, times = Counter(voice.label for voice in voices).most_common(1)[0]
    if times > 1:
        raise InvalidRequest(
            f"{times} voices would be called {label!r}; rename the tuned member, or ask for "
            f"coefficients that differ in their first six digits"
        )


def _alone(role: str) -> Voice:
    return Voice(label=role, mixture=Mixture(weights={role: 1}))


def _grid(roles: Roles, asked: Coefficients) -> list[Voice]:
    """Every alpha and beta, without filter and with each one."""
    filters = [None, *dict.fromkeys(asked.filters)]
    alphas = [alpha for alpha in dict.fromkeys(asked.alphas) if alpha]
    return [
        *(_alpha(roles, alpha, top_p) for top_p in filters for alpha in alphas),
        *(_beta(beta, top_p) for top_p in filters for beta in dict.fromkeys(asked.betas)),
    ]


def _alpha(roles: Roles, alpha: float, top_p: float | None) -> Voice:
    # Several tuned members: the grid is that of the first.
    given = alpha if len(roles.tuned) == 1 else {roles.tuned[0]: alpha}
    mixture = Mixture(alpha=given, filter_top_p=top_p)
    return Voice(label=_label("alpha", alpha, top_p), mixture=mixture, form="alpha", value=alpha)


def _beta(beta: float, top_p: float | None) -> Voice:
    mixture = Mixture(beta=beta, filter_top_p=top_p)
    return Voice(label=_label("beta", beta, top_p), mixture=mixture, form="beta", value=beta)


def _point(roles: Roles, weight: float) -> Voice:
    """A point of the frontier: lambda for the first tuned member, the rest of 1 for the second."""
    if not 0 <= weight <= 1:
        raise InvalidRequest(f"lambda must be at least 0 and at most 1, got {weight:g}")
    weights = dict(zip(roles.tuned, (weight, 1 - weight), strict=True))
    mixture = Mixture(alpha={name: share for name, share in weights.items() if share})
    return Voice(label=f"lambda {weight:g}", mixture=mixture, form="lambda", value=weight)


def _label(name: str, value: float, top_p: float | None) -> str:
    return f"{name} {value:g}" + ("" if top_p is None else f", top-p {top_p:g}")
