"""What LangChain's face costs: time beside the engine's own stream, and lag of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from eft_integrations.benchmark.figures import Figure, seconds_of
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
    ends = {engine.tokenizer(role).eos_token_id for role in engine.roles.available}
    never = {token_id: -100.0 for token_id in ends if token_id is not None}
    model = ChatEFT(engine=engine, max_tokens=num_tokens, logit_bias=never)
    yield _overhead(engine, model, num_rounds)
    lags = [asyncio.run(_lag(model)) for _ in range(num_rounds)]
    yield Figure(
        name=f"event-loop lag, 95th percentile, {_NUM_CALLS} calls of ChatEFT.ainvoke",
        unit="ms",
        value=median(lags),
        low=min(lags),
        high=max(lags),
        limit=50.0,
    )


def _overhead(engine: Engine, model: ChatEFT, num_rounds: int) -> Figure:
    """Both ways in turn in every round, after one that warms up."""
    prompts = [render(engine, [{"role": "user", "content": asked}]) for asked in _QUESTIONS]
    options: dict[str, Any] = model.engine_options()

    def by_engine() -> None:
        for prompt in prompts:
            with engine.stream(prompt, **options) as stream:
                _drain(stream)

    def by_face() -> None:
        for asked in _QUESTIONS:
            _drain(model.stream(asked))

    pairs = [(seconds_of(by_engine), seconds_of(by_face)) for _ in range(num_rounds + 1)][1:]
    shares = [100.0 * (face / own - 1.0) for own, face in pairs]
    return Figure(
        name="ChatEFT.stream beside Engine.stream",
        unit="%",
        value=median(shares),
        low=min(shares),
        high=max(shares),
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
