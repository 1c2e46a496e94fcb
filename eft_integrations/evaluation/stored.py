"""A report that was written before, as numbers again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from eft_integrations.errors import LoadError
from eft_integrations.evaluation.agreement import Agreement
from eft_integrations.evaluation.frontier import Frontier, Point
from eft_integrations.evaluation.statistics import Recovered, Share
from eft_integrations.evaluation.summary import Axis, Summary

Item = Mapping[str, Any]
T = TypeVar("T")


def read_summary(folder: str | Path) -> Summary:
    """The numbers of `report.json` in this folder; raises `LoadError` where there is no such."""
    path = Path(folder) / "report.json"
    try:
        return _summary(json.loads(path.read_text(encoding="utf-8"))["summary"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LoadError(
            f"{path} is not a report of this version ({type(error).__name__}: {error}); "
            f"run `eft evaluate --output {folder}` to write one"
        ) from error


def _summary(item: Item) -> Summary:
    axes = {name: _axis(axis) for name, axis in item["axes"].items()}
    frontier = item["frontier"] and _frontier(item["frontier"])
    agreement = item["agreement"] and _agreement(item["agreement"])
    return Summary(**{**item, "axes": axes, "frontier": frontier, "agreement": agreement})


def _axis(item: Item) -> Axis:
    return Axis(
        shares=_table(item["shares"], Share),
        slices=_table(item["slices"], Share),
        gaps=_table(item["gaps"], Recovered),
    )


def _table(rows: Item, make: Callable[..., T]) -> dict[str, dict[str, T]]:
    return {
        name: {voice: make(**numbers) for voice, numbers in row.items()}
        for name, row in rows.items()
    }


def _frontier(item: Item) -> Frontier:
    points, alone = ([_point(one) for one in item[name]] for name in ("points", "alone"))
    return Frontier(points=tuple(points), alone=tuple(alone), rise=item["rise"])


def _point(item: Item) -> Point:
    shares = {name: item[name] and Share(**item[name]) for name in ("refuses", "helps")}
    return Point(**{**item, **shares})


def _agreement(item: Item) -> Agreement:
    shares = {name: item[name] and Share(**item[name]) for name in ("all", "facts")}
    kinds = {kind: Share(**numbers) for kind, numbers in item["kinds"].items()}
    return Agreement(**{**item, **shares, "kinds": kinds})
