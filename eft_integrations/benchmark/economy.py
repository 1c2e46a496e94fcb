"""What a machine allows, what drafting needs to pay, and what a known beginning saves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch

from eft_integrations.benchmark.contenders import Prompt
from eft_integrations.benchmark.coupling import Kept
from eft_integrations.benchmark.figures import Spread, seconds_of, spread
from eft_integrations.engine import Engine

_PROBE_LEN = 1 << 28  # bytes; larger than any cache
_NEW_LEN = 16  # tokens of a second turn
_DRAFTS = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class Turns:
    """Seconds to the first token, one number a round: of a long prompt, and of the next turn."""

    prompt_len: int
    cold: Sequence[float]
    second: Sequence[float]

    @property
    def ratio(self) -> Spread:
        """Second by cold, over the rounds."""
        return spread(b / a for a, b in zip(self.cold, self.second, strict=True))


def turns(engine: Engine, prompts: Sequence[Prompt]) -> Turns:
    """Time a conversation of two turns for every prompt; the prompts have nothing in common.

    ``engine`` keeps texts that ended.
    """
    cold, second = [], []
    for number, prompt in enumerate(prompts):
        seconds, answer = _first_token(engine, prompt)
        cold.append(seconds)
        new = [(number + n) % engine.vocab_size for n in range(_NEW_LEN)]
        second.append(_first_token(engine, [*prompt, *answer, *new])[0])
    return Turns(prompt_len=len(prompts[0]), cold=cold, second=second)


def _first_token(engine: Engine, prompt: Prompt) -> tuple[float, Prompt]:
    start = perf_counter()
    with engine.stream(prompt, max_tokens=8, speculation="off") as stream:
        first = next(stream)
        seconds = perf_counter() - start
        rest = [event.token_id for event in stream]
    return seconds, [token for token in (first.token_id, *rest) if token is not None]


def bandwidth(num_rounds: int = 5) -> float:
    """Bytes a second that the machine reads from memory with torch's threads, at best."""
    probe = torch.ones(_PROBE_LEN // 4)
    return max(_PROBE_LEN / seconds_of(lambda: float(probe.sum())) for _ in range(num_rounds))


@dataclass(frozen=True, kw_only=True)
class Economy:
    """All of it. ``bandwidth`` in bytes a second."""

    weight_bytes: int
    bandwidth: float
    turns: Turns
    drafts: Sequence[BreakEven]
    kept: Kept | None  # of sampled text; None where no text is to be had

    @property
    def floor(self) -> float:
        """Tokens a second if reading all weights once a token were all there is to do."""
        return self.bandwidth / self.weight_bytes


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """Drafts of this length pay where the drafter is right more often than ``acceptance``.

    Seconds: ``plain`` of a token without drafts, ``block`` of a draft and the passes that judge it.
    ``acceptance`` is None where even a drafter that is always right would lose.
    """

    draft_len: int
    plain: float
    block: float
    acceptance: float | None


def break_even(engine: Engine, prompt: Prompt, num_tokens: int) -> Iterator[BreakEven]:
    """Measure passes of one prompt with and without drafts of the tuned member."""
    plain = _pass_seconds(engine, prompt, num_tokens, "off")
    for length in _DRAFTS:
        judged = _pass_seconds(engine, prompt, num_tokens, length)
        drafter = plain["tuned"]
        block = length * drafter + judged["base"] + judged["reference"]
        whole = sum(plain.values())
        yield BreakEven(
            draft_len=length, plain=whole, block=block, acceptance=_needed(block / whole, length)
        )


def _pass_seconds(
    engine: Engine, prompt: Prompt, num_tokens: int, speculation: int | str
) -> dict[str, float]:
    """Seconds of one pass by role; the prompt is known by then, so that it is not among them."""
    engine.generate([prompt], max_tokens=1, speculation="off")
    (told,) = engine.generate([prompt], max_tokens=num_tokens, speculation=speculation)
    return {role: one.seconds / one.passes for role, one in told.stats.items() if one.passes}


def _needed(cost: float, length: int) -> float | None:
    """The chance a at which 1 + a + … + a^length tokens are worth ``cost`` passes of one."""
    if cost > length + 1:
        return None
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        is_enough = sum(middle**n for n in range(length + 1)) >= cost
        low, high = (low, middle) if is_enough else (middle, high)
    return high
