"""The benchmark runs and tells its figures; what they are depends on the machine."""

from __future__ import annotations

from math import isfinite

from eft_integrations import Engine
from eft_integrations.benchmark import Figure
from eft_integrations.benchmark.langchain import langchain_figures


def test_both_figures_are_told_with_their_range(engine: Engine) -> None:
    figures = list(langchain_figures(engine, num_rounds=1, num_tokens=4))
    assert [(one.unit, one.limit) for one in figures] == [("%", 3.0), ("ms", 50.0)]
    assert all(isfinite(one.value) and one.low <= one.value <= one.high for one in figures)


def test_a_figure_is_held_up_to_its_limit() -> None:
    figure = Figure(name="a", unit="s", value=2.0, low=1.0, high=3.0, limit=2.0)
    assert figure.is_held
