"""The picture shows every contender, and longer bars for higher rates."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from eft_integrations.benchmark.bars import svg
from eft_integrations.benchmark.summary import Line

NAMESPACE = "{http://www.w3.org/2000/svg}"
NOTHING = (1.0, 1.0, 1.0)


def line(name: str, num_rows: int, rate: float) -> Line:
    return Line(
        name=name,
        num_rows=num_rows,
        rate=(rate, rate * 0.9, rate * 1.1),
        beside_loop=NOTHING,
        beside_batch=NOTHING,
    )


def test_bars_are_as_long_as_rates_are_high_and_names_are_escaped() -> None:
    lines = [line("naive <loop>", 1, 2.0), line("engine", 1, 8.0), line("engine", 16, 30.0)]
    picture = ET.fromstring(svg("A & B", lines))
    bars = picture.findall(f"{NAMESPACE}rect")[1:]
    first, second, third = (float(bar.attrib["width"]) for bar in bars)
    assert second == pytest.approx(4 * first, rel=0.01)
    assert third == second  # a scale for each number of prompts
    texts = [element.text for element in picture.iter(f"{NAMESPACE}text")]
    assert {"naive <loop>", "A & B: tokens a second", "1 prompt", "16 prompts at once"} <= {*texts}
    assert "8.00 (7.20–8.80)" in texts
