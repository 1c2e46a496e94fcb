"""Which members speak, and how loudly: the coefficients of one request.

``log π = log π_base + Σ alpha_i (log π_tuned_i − log π_reference_i) − log Z``
(Mitchell et al. 2023, arXiv 2310.12962). This file is arithmetic on names; the tensors
are in ``eft_integrations.rule``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from eft_integrations import checks
from eft_integrations.errors import InvalidRequest, refuse_unknown

BASE = "base"
REFERENCE = "reference"
# Far beyond any use; keeps sums of weighted log-probabilities exact enough in float32.
MAX_COEFFICIENT = 1000.0


@checks.refusing_unknown
@dataclass(frozen=True, kw_only=True)
class Plausibility:
    """Keep only tokens that one member finds plausible; applied after mixing.

    ``min_ratio`` keeps tokens with at least that share of the member's top probability
    (contrastive decoding, arXiv 2210.15097); ``top_p`` keeps the member's nucleus (DExperts,
    arXiv 2105.03023). Exactly one of the two.
    """

    role: str = field(default=BASE, kw_only=False)
    min_ratio: float | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if (self.min_ratio is None) == (self.top_p is None):
            raise InvalidRequest(
                f"Plausibility needs exactly one of min_ratio and top_p, "
                f"got min_ratio={self.min_ratio!r}, top_p={self.top_p!r}"
            )
        if self.min_ratio is not None:
            checks.number("Plausibility.min_ratio", self.min_ratio, above=0, high=1)
        if self.top_p is not None:
            checks.number("Plausibility.top_p", self.top_p, above=0, high=1)


@checks.refusing_unknown
@dataclass(frozen=True, kw_only=True)
class Mixture:
    """The coefficients of one request; exactly one of ``alpha``, ``beta``, ``weights``.

    ``alpha``         weight of tuned − reference; a number, or one per name of several tuned
                      members (omitted names are 0). Negative and above 1 are allowed.
    ``beta``          the paper's amplified form, log π_tuned + beta (log π_base − log π_reference);
                      for one tuned member.
    ``weights``       any coefficient per role: contrastive decoding, realignment and their kin.
    ``filter_top_p``  the paper's filter of the up-scaling weights: outside the nucleus of a tuned
                      member its term takes log π_base in place of log π_reference (in the beta
                      form the up-scaling weight becomes 1). Needs alpha or beta.
    ``mask``          a :class:`Plausibility`.

    None of the three forms: the engine's default form.
    """

    alpha: float | Mapping[str, float] | None = None
    beta: float | None = None
    weights: Mapping[str, float] | None = None
    filter_top_p: float | None = None
    mask: Plausibility | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("alpha", "beta", "weights") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InvalidRequest(f"{' and '.join(given)} exclude each other; give one of them")
        self._check_coefficients()
        if self.filter_top_p is not None:
            checks.number("filter_top_p", self.filter_top_p, above=0, high=1)
            if self.weights is not None:
                raise InvalidRequest(
                    "filter_top_p needs the alpha or the beta form, got weights; "
                    "use mask=Plausibility(...) with weights"
                )
        if self.mask is not None and not isinstance(self.mask, Plausibility):
            raise InvalidRequest(f"mask must be a Plausibility, got {self.mask!r}")

    def _check_coefficients(self) -> None:
        if isinstance(self.alpha, Mapping):
            # an empty mapping omits every name, and omitted names are 0
            object.__setattr__(self, "alpha", _coefficients("alpha", self.alpha))
        elif self.alpha is not None:
            _coefficient("alpha", self.alpha)
        if self.beta is not None:
            _coefficient("beta", self.beta)
        if self.weights is not None:
            if not self.weights:
                raise InvalidRequest("weights is empty; give at least one role its coefficient")
            object.__setattr__(self, "weights", _coefficients("weights", self.weights))

    @property
    def has_form(self) -> bool:
        return not (self.alpha is None and self.beta is None and self.weights is None)


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The roles of one engine: ``base``, each tuned name, and the reference of each."""

    tuned: tuple[str, ...]
    reference_of: Mapping[str, str]
    available: tuple[str, ...]

    def default(self) -> Mixture:
        """alpha 1 for one tuned member, 1/n for each of several."""
        if len(self.tuned) > 1:
            return Mixture(alpha={name: 1.0 / len(self.tuned) for name in self.tuned})
        return Mixture(alpha=1.0)


@dataclass(frozen=True, kw_only=True)
class FilterTerm:
    """Outside the nucleus of ``tuned``: add ``amount * (log π_reference − log π_base)``."""

    tuned: str
    reference: str
    amount: float


@dataclass(frozen=True, kw_only=True)
class Terms:
    """A mixture resolved against an engine's roles: what the rule computes with."""

    coefficients: Mapping[str, float]
    filters: tuple[FilterTerm, ...] = ()
    filter_top_p: float | None = None
    mask: Plausibility | None = None


def effective(mixture: Mixture | None, default: Mixture) -> Mixture:
    """``mixture`` with its form filled in from ``default``; ``default`` whole where it is None."""
    if mixture is None:
        return default
    if mixture.has_form:
        return mixture
    return replace(mixture, alpha=default.alpha, beta=default.beta, weights=default.weights)


def resolve(mixture: Mixture, roles: Roles) -> Terms:
    """The coefficients by role of a mixture that has a form.

    Raises ``UnknownOption`` for a name that the engine does not know, ``InvalidRequest`` for a
    form that its members cannot serve.
    """
    no_filters: tuple[FilterTerm, ...] = ()
    if mixture.weights is not None:
        coefficients, filters = dict(mixture.weights), no_filters
        refuse_unknown("role in weights", coefficients, roles.available)
    elif mixture.beta is not None:
        coefficients, filters = _beta_form(mixture.beta, roles)
    else:
        coefficients, filters = _alpha_form(_alphas(mixture.alpha, roles), roles)
    if mixture.mask is not None:
        refuse_unknown("role in mask", [mixture.mask.role], roles.available)
    _require_available(coefficients, roles)
    return Terms(
        coefficients={role: coefficients.get(role, 0.0) for role in roles.available},
        filters=filters if mixture.filter_top_p is not None else (),
        filter_top_p=mixture.filter_top_p,
        mask=mixture.mask,
    )


def _alphas(alpha: float | Mapping[str, float] | None, roles: Roles) -> dict[str, float]:
    if isinstance(alpha, Mapping):
        refuse_unknown("tuned member in alpha", alpha, roles.tuned)
        return dict(alpha)
    if len(roles.tuned) > 1:
        example = ", ".join(f"{name!r}: {alpha}" for name in roles.tuned)
        raise InvalidRequest(
            f"alpha={alpha} is ambiguous with {len(roles.tuned)} tuned members; "
            f"give one each: alpha={{{example}}}"
        )
    return {name: float(alpha or 0.0) for name in roles.tuned}


def _alpha_form(
    alphas: Mapping[str, float], roles: Roles
) -> tuple[dict[str, float], tuple[FilterTerm, ...]]:
    coefficients = {BASE: 1.0}
    filters = []
    for name, alpha in alphas.items():
        reference = roles.reference_of[name]
        coefficients[name] = alpha
        coefficients[reference] = coefficients.get(reference, 0.0) - alpha
        if alpha:
            filters.append(FilterTerm(tuned=name, reference=reference, amount=alpha))
    return coefficients, tuple(filters)


def _beta_form(beta: float, roles: Roles) -> tuple[dict[str, float], tuple[FilterTerm, ...]]:
    if len(roles.tuned) != 1:
        raise InvalidRequest(
            f"beta needs exactly one tuned member, this engine has {len(roles.tuned)}; "
            f"use alpha by name, or weights"
        )
    name = roles.tuned[0]
    reference = roles.reference_of[name]
    term = FilterTerm(tuned=name, reference=reference, amount=beta)
    return {name: 1.0, BASE: beta, reference: -beta}, (term,) if beta else ()


def _require_available(coefficients: Mapping[str, float], roles: Roles) -> None:
    for role, coefficient in coefficients.items():
        if coefficient and role not in roles.available:
            raise InvalidRequest(
                f"the mixture gives role {role!r} the coefficient {coefficient:g}, but this engine "
                f"has only {', '.join(roles.available)}; load it with from_pretrained, "
                f"or give it the weight 0"
            )


def _coefficient(name: str, value: object) -> None:
    checks.number(name, value, low=-MAX_COEFFICIENT, high=MAX_COEFFICIENT)


def _coefficients(name: str, values: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise InvalidRequest(f"{name} must be a mapping of names to numbers, got {values!r}")
    for key, value in values.items():
        if not isinstance(key, str):
            raise InvalidRequest(f"{name} must have names as keys, got {key!r}")
        _coefficient(f"{name}[{key!r}]", value)
    return {key: float(value) for key, value in values.items()}
