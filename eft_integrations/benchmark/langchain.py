"""What LangChain's face costs: time beside the engine's own stream, and lag of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from statistics import quantiles
from time import perf_counter
from typing import Any

from eft_integrations.benchmark.figures import Figure, median_spread, seconds_of, spread
from eft_integrations.chat import render
from eft_integrations.engine import Engine
from eft_integrations.langchain import ChatEFT

_PLACES = ("Italy", "Kenya", "Japan", "Peru")
_QUESTIONS = [f"What is the capital of {place}?" for place in _PLACES]
_NUM_CALLS = 16
_TICK = 0.005  # seconds between two looks at the clock


def langchain_figures(
    engine: Engine, *, num_rounds: int = 9, num_tokens: int = 64
) -> Iterator[Figure]:
    """Each figure as it is measured. Answers have ``num_tokens`` tokens each."""
    never = dict.fromkeys(engine.end_ids, -100.0)
    model = ChatEFT(engine=engine, max_tokens=num_tokens, logit_bias=never)
    yield _overhead(engine, model, num_rounds)
    lags = [asyncio.run(_lag(model)) for _ in range(num_rounds)]
    value, low, high = spread(lags)
    yield Figure(
        name=f"event-loop lag, 95th percentile, {_NUM_CALLS} calls of ChatEFT.ainvoke",
        unit="ms",
        value=value,
        low=low,
        high=high,
        limit=50.0,
    )


def _overhead(engine: Engine, model: ChatEFT, num_rounds: int) -> Figure:
    """Both ways one after the other, a question at a time, so that a busy machine is so for both.

    The engine's way begins with token ids and ends with the last event. The face's has all that it
    does: config, callbacks, template, token ids, reader, chunks, and the whole answer at the end.
    Prompts are known from the first round, which warms up, to both alike.
    """
    prompts = {q: render(engine, [{"role": "user", "content": q}]) for q in _QUESTIONS}
    options: dict[str, Any] = model.engine_options()

    def by_engine(asked: str) -> None:
        with engine.stream(prompts[asked], **options) as stream:
            _drain(stream)

    def by_face(asked: str) -> None:
        _drain(model.stream(asked))

    shares: list[float] = []
    for number in range(num_rounds + 1):
        for place, asked in enumerate(_QUESTIONS):
            both = [by_engine, by_face] if (number + place) % 2 else [by_face, by_engine]
            taken = {way: seconds_of(partial(way, asked)) for way in both}
            shares += [100.0 * (taken[by_face] / taken[by_engine] - 1.0)] if number else []
    value, low, high = median_spread(shares)
    return Figure(
        name=f"ChatEFT.stream beside Engine.stream, {len(shares)} pairs, range of the median",
        unit="%",
        value=value,
        low=low,
        high=high,
        limit=3.0,
    )


def _drain(stream: Iterator[object]) -> None:
    for _ in stream:
        pass


async def _lag(model: ChatEFT) -> float:
    """Milliseconds by which the loop is late, 95th percentile, while calls run."""
    calls = asyncio.gather(*(model.ainvoke(_QUESTIONS[0]) for _ in range(_NUM_CALLS)))
    lags: list[float] = []
    while not calls.done():
        start = perf_counter()
        await asyncio.sleep(_TICK)
        lags.append(1000.0 * (perf_counter() - start - _TICK))
    await calls
    return quantiles(lags, n=20, method="inclusive")[-1]
