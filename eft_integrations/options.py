"""Keywords of a call → checked values: the only parser of options, shared by every face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict, cast

from eft_integrations import checks
from eft_integrations.errors import InvalidRequest, refuse_unknown
from eft_integrations.mixture import Mixture, Plausibility
from eft_integrations.request import Constraint, PerRow, Sampling


class MixtureOptions(TypedDict, total=False):
    """Keywords that make a :class:`Mixture`, for type checkers."""

    alpha: float | Mapping[str, float] | PerRow[Any] | None
    beta: float | PerRow[Any] | None
    weights: Mapping[str, float] | PerRow[Any] | None
    filter_top_p: float | PerRow[Any] | None
    mask: Plausibility | PerRow[Any] | None
    mixture: Mixture | PerRow[Any] | None


class GenerateOptions(MixtureOptions, total=False):
    """Every keyword of ``generate`` and ``stream``, for type checkers."""

    temperature: float | PerRow[Any]
    top_k: int | PerRow[Any] | None
    top_p: float | PerRow[Any] | None
    min_p: float | PerRow[Any] | None
    repetition_penalty: float | PerRow[Any]
    presence_penalty: float | PerRow[Any]
    frequency_penalty: float | PerRow[Any]
    logit_bias: Mapping[int, float] | PerRow[Any] | None
    seed: int | PerRow[Any] | None
    n: int | PerRow[Any]
    logprobs: bool | PerRow[Any]
    top_logprobs: int | PerRow[Any]
    stop: str | list[str] | tuple[str, ...] | PerRow[Any] | None
    stop_token_ids: list[int] | tuple[int, ...] | PerRow[Any] | None
    max_tokens: int | PerRow[Any] | None
    timeout: float | PerRow[Any] | None
    speculation: int | str | PerRow[Any]
    sampling: Sampling | PerRow[Any] | None
    json_schema: object
    regex: str | PerRow[Any] | None
    choice: list[str] | tuple[str, ...] | PerRow[Any] | None
    grammar: str | PerRow[Any] | None
    close_within_budget: bool | PerRow[Any]
    contributions: bool | PerRow[Any]


MIXTURE_KEYS = frozenset(spec.name for spec in fields(Mixture))
SAMPLING_KEYS = frozenset(spec.name for spec in fields(Sampling))
CONSTRAINT_KEYS = ("json_schema", "regex", "choice", "grammar")
SCORE_KEYS = frozenset(MixtureOptions.__optional_keys__)
GENERATE_KEYS = frozenset(GenerateOptions.__optional_keys__)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The checked options of one prompt; ``mixture=None`` means the engine's default."""

    mixture: Mixture | None = None
    sampling: Sampling = field(default_factory=Sampling)
    constraint: Constraint | None = None
    contributions: bool = False


def parse(keywords: Mapping[str, object], known: frozenset[str] = GENERATE_KEYS) -> Options:
    """The options of one prompt.

    Raises ``UnknownOption`` with a suggestion, or ``InvalidRequest``.
    """
    refuse_unknown("option", keywords, known)
    for name, value in keywords.items():
        if isinstance(value, PerRow):
            raise InvalidRequest(f"{name}={value!r} needs a list of prompts, got a single prompt")
    return Options(
        mixture=_object(keywords, "mixture", Mixture, MIXTURE_KEYS),
        sampling=_object(keywords, "sampling", Sampling, SAMPLING_KEYS) or Sampling(),
        constraint=_constraint(keywords),
        contributions=checks.flag("contributions", keywords.get("contributions", False)),
    )


def parse_rows(
    keywords: Mapping[str, object], num_rows: int, known: frozenset[str] = GENERATE_KEYS
) -> list[Options]:
    """The options of each prompt of a batch; ``PerRow`` values are dealt out in order."""
    refuse_unknown("option", keywords, known)
    for name, value in keywords.items():
        if isinstance(value, PerRow) and len(value) != num_rows:
            raise InvalidRequest(
                f"{name} has {len(value)} values for {num_rows} prompts; give one a prompt"
            )
    if not any(isinstance(value, PerRow) for value in keywords.values()):
        return [parse(keywords, known)] * num_rows
    return [parse(_row(keywords, row), known) for row in range(num_rows)]


def _row(keywords: Mapping[str, object], row: int) -> dict[str, object]:
    return {
        name: value.values[row] if isinstance(value, PerRow) else value
        for name, value in keywords.items()
    }


def _object(
    keywords: Mapping[str, object], name: str, kind: type[Any], keys: frozenset[str]
) -> Any | None:
    """The object given whole, or made from its keywords; None where neither was given."""
    whole = keywords.get(name)
    parts = {key: value for key, value in keywords.items() if key in keys}
    if whole is not None and not isinstance(whole, kind):
        raise InvalidRequest(f"{name} must be a {kind.__name__}, got {whole!r}")
    if whole is not None and parts:
        raise InvalidRequest(
            f"{name}= and {next(iter(parts))}= exclude each other; "
            f"put {next(iter(parts))} into the {kind.__name__}"
        )
    # None means "not given" for a mixture, so that callers may pass their own default through
    if kind is Mixture and all(value is None for value in parts.values()):
        return whole
    return kind(**parts) if parts else whole


def _constraint(keywords: Mapping[str, object]) -> Constraint | None:
    given = [key for key in CONSTRAINT_KEYS if keywords.get(key) is not None]
    if len(given) > 1:
        raise InvalidRequest(f"{' and '.join(given)} exclude each other; give one constraint")
    close = checks.flag("close_within_budget", keywords.get("close_within_budget", True))
    if not given:
        if not close:
            raise InvalidRequest(
                f"close_within_budget needs a constraint; add one of {', '.join(CONSTRAINT_KEYS)}"
            )
        return None
    kind = cast("Any", given[0])
    value = keywords[kind]
    if kind in ("regex", "grammar") and (not isinstance(value, str) or not value):
        raise InvalidRequest(f"{kind} must be a non-empty string, got {value!r}")
    if kind == "choice":
        value = checks.strings("choice", value)
        if not value:
            raise InvalidRequest("choice must hold at least one string, got none")
    if kind == "json_schema" and not isinstance(value, (str, Mapping)):
        raise InvalidRequest(f"json_schema must be a mapping or a JSON string, got {value!r}")
    return Constraint(kind=kind, value=value, close_within_budget=close)
