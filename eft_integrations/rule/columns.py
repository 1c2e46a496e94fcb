"""The terms of many rows as columns of tensors: what the rule computes with.

``columns_of`` makes them of ``Terms``. Where rows must travel as numbers, a ``Layout`` writes the
terms of one row into a row of a table and reads the columns of a batch out of such rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import torch
from torch import Tensor

from eft_integrations.mixture import Plausibility, Roles, Terms
from eft_integrations.rule.devices import sent

Rows = EllipsisType | Tensor  # which rows of a batch; ... for all

# A column of a table: what it says, and of which member.
Place = tuple[str, str]
_WEIGHT, _AMOUNT, _FILTER_TOP_P = "weight", "amount", ("filter_top_p", "")
# What a column holds in the rows that do not use it.
_NEUTRAL = {_WEIGHT: 0.0, _AMOUNT: 0.0, "filter_top_p": 1.0, "min_ratio": 0.0, "top_p": 1.0}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """The filter of one tuned member in K rows: ``amount`` and ``top_p`` [K], and which rows."""

    tuned: str
    reference: str
    amount: Tensor
    top_p: Tensor
    rows: Rows = ...


@dataclass(frozen=True, kw_only=True)
class Mask:
    """The plausibility mask of one member in K rows: ``kind`` min_ratio or top_p, ``limit`` [K]."""

    role: str
    kind: str
    limit: Tensor
    rows: Rows = ...


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Coefficients [N] by role, with the filters and masks that some of the N rows have."""

    weights: Mapping[str, Tensor]
    filters: Sequence[Filter] = ()
    masks: Sequence[Mask] = ()


def columns_of(terms: Sequence[Terms], members: Mapping[str, Tensor]) -> Columns:
    """The columns of these rows, beside the tensors of ``members``; those of zeros are left out."""
    like = next(iter(members.values()))
    weights = {role: [row.coefficients.get(role, 0.0) for row in terms] for role in members}
    filters = sorted({(f.tuned, f.reference) for row in terms for f in row.filters})
    masks = sorted({(row.mask.role, _kind(row.mask)) for row in terms if row.mask})
    heard = {role: column for role, column in weights.items() if any(column)}
    return Columns(
        weights=dict(zip(heard, _sent([*heard.values()], like).unbind(), strict=True)),
        filters=[_filter(terms, tuned, reference, like) for tuned, reference in filters],
        masks=[_mask(terms, role, kind, like) for role, kind in masks],
    )


def _filter(terms: Sequence[Terms], tuned: str, reference: str, like: Tensor) -> Filter:
    having = {i: f.amount for i, row in enumerate(terms) for f in row.filters if f.tuned == tuned}
    return Filter(
        tuned=tuned,
        reference=reference,
        amount=_sent(list(having.values()), like),
        top_p=_sent([terms[i].filter_top_p for i in having], like),
        rows=sent(torch.tensor(list(having)), like.device),
    )


def _mask(terms: Sequence[Terms], role: str, kind: str, like: Tensor) -> Mask:
    having = {
        i: _limit(row.mask)
        for i, row in enumerate(terms)
        if row.mask and (row.mask.role, _kind(row.mask)) == (role, kind)
    }
    return Mask(
        role=role,
        kind=kind,
        limit=_sent(list(having.values()), like),
        rows=sent(torch.tensor(list(having)), like.device),
    )


def _sent(numbers: Sequence[Any], like: Tensor) -> Tensor:
    return sent(torch.tensor(numbers, dtype=like.dtype), like.device)


def _kind(mask: Plausibility) -> str:
    return "top_p" if mask.min_ratio is None else "min_ratio"


def _limit(mask: Plausibility) -> float:
    limit = mask.top_p if mask.min_ratio is None else mask.min_ratio
    assert limit is not None, "Plausibility has exactly one of the two"
    return limit


class Layout:
    """Terms as rows of a float32 table: a column for whatever a mixture of ``roles`` may say."""

    def __init__(self, roles: Roles) -> None:
        self.roles = roles
        tuned = [name for name in roles.tuned if name in roles.available]
        self.places: list[Place] = [
            *((_WEIGHT, role) for role in roles.available),
            *((_AMOUNT, name) for name in tuned),
            _FILTER_TOP_P,
            *((kind, role) for role in roles.available for kind in ("min_ratio", "top_p")),
        ]

    @property
    def width(self) -> int:
        return len(self.places)

    def row(self, terms: Terms) -> list[float]:
        """The table's row that says ``terms``."""
        said = dict(_said(terms))
        return [said.get(place, _NEUTRAL[place[0]]) for place in self.places]

    def extras(self, terms: Terms) -> frozenset[Place]:
        """The columns of filters and masks that ``terms`` uses."""
        return frozenset(place for place, _ in _said(terms) if place[0] != _WEIGHT)

    @property
    def every_extra(self) -> frozenset[Place]:
        """The columns of all filters and masks that there may be."""
        return frozenset(place for place in self.places if place[0] != _WEIGHT)

    def columns(self, table: Tensor, extras: Collection[Place]) -> Columns:
        """Rows [N, width] → their columns; of filters and masks those that ``extras`` names.

        A row that does not use one of these is left as it is by it.
        """
        column = dict(zip(self.places, table.unbind(-1), strict=True))
        filters = [
            Filter(
                tuned=name,
                reference=self.roles.reference_of[name],
                amount=column[kind, name],
                top_p=column[_FILTER_TOP_P],
            )
            for kind, name in sorted(extras)
            if kind == _AMOUNT
        ]
        masks = [
            Mask(role=role, kind=kind, limit=column[kind, role])
            for kind, role in sorted(extras)
            if kind in ("min_ratio", "top_p")
        ]
        weights = {role: column[_WEIGHT, role] for role in self.roles.available}
        return Columns(weights=weights, filters=filters, masks=masks)


def _said(terms: Terms) -> Iterator[tuple[Place, float]]:
    """What ``terms`` says, by its place in a table."""
    yield from (((_WEIGHT, role), value) for role, value in terms.coefficients.items())
    yield from (((_AMOUNT, one.tuned), one.amount) for one in terms.filters)
    if terms.filters and terms.filter_top_p is not None:
        yield _FILTER_TOP_P, terms.filter_top_p
    if terms.mask is not None:
        yield (_kind(terms.mask), terms.mask.role), _limit(terms.mask)
