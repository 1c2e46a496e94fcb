"""One running text: its tokens, how much of them each role has cached, where its events go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eft_integrations.engine.detokenize import Detokenizer
from eft_integrations.engine.stopping import StopStrings
from eft_integrations.errors import EFTError
from eft_integrations.mixture import Mixture, Terms
from eft_integrations.request import MemberStats, Request, Score, TokenEvent, Usage

Item = TokenEvent | Score | EFTError
Sink = Callable[[Item], None]


@dataclass(frozen=True, kw_only=True)
class Blend:
    """A mixture with its terms: what ``Stream.set`` exchanges as one."""

    mixture: Mixture
    terms: Terms


class Sequence:
    """A request on its way through the engine. Owned by the worker's thread, except where said."""

    def __init__(
        self,
        request: Request,
        *,
        sink: Sink,
        detokenizer: Detokenizer,
        grammar: Any = None,
    ) -> None:
        self.request = request
        self.max_tokens = request.sampling.max_tokens or 0
        self._sink = sink
        self.is_ended = False
        self.detokenizer = detokenizer
        self.stops = StopStrings(request.sampling.stop_strings)
        self.grammar = grammar
        self.deadline: float | None = None
        self.number = 0  # in the order of admission
        self.output: list[int] = []
        self.computed = dict.fromkeys(request.prompts, 0)
        self.stats = dict.fromkeys(request.prompts, MemberStats())
        self.scored: list[Any] = []
        self.is_cancelled = False  # set by any thread
        self._lock = threading.Lock()
        self._blend = Blend(mixture=request.mixture, terms=request.terms)
        self._next_index = 0

    def set_blend(self, blend: Blend) -> int:
        """From any thread: ``blend`` holds from the next token not yet computed; its index."""
        with self._lock:
            self._blend = blend
            return self._next_index

    def take_blend(self) -> Blend:
        """The blend of the token that is predicted in this step."""
        with self._lock:
            self._next_index = len(self.output) + 1
            return self._blend

    def start_clock(self, now: float) -> None:
        """Submission: the timeout counts from here."""
        timeout = self.request.sampling.timeout
        self.deadline = None if timeout is None else now + timeout

    def send(self, item: Item) -> None:
        """Tell the consumer; nothing after the last item."""
        if not self.is_ended:
            self.is_ended = not isinstance(item, TokenEvent) or item.finish_reason is not None
            self._sink(item)

    def is_over(self, now: float) -> bool:
        """Cancelled, or past its deadline."""
        return self.is_cancelled or (self.deadline is not None and now >= self.deadline)

    @property
    def is_scoring(self) -> bool:
        return self.request.continuation is not None

    @property
    def tail(self) -> tuple[int, ...]:
        """Known tokens beyond prompt and output: what a scoring request scores, but the last."""
        return () if self.request.continuation is None else self.request.continuation[:-1]

    @property
    def num_unfed(self) -> int:
        """Tokens of the tail that no role has seen yet."""
        return len(self.tail) - max(0, len(self.scored) - 1)

    @property
    def reserved_len(self) -> int:
        """Cache positions that this request may come to need."""
        return self.request.prompt_len + max(self.max_tokens, len(self.tail))

    @property
    def num_left(self) -> int:
        return self.max_tokens - len(self.output)

    def tokens(self, role: str, start: int, stop: int) -> list[int]:
        """Prompt, output and tail of one role as one list, from ``start`` to ``stop``."""
        prompt = self.request.prompts[role]
        if start >= len(prompt):
            shift = len(prompt)
            return [*self.output, *self.tail][start - shift : stop - shift]
        return [*prompt, *self.output, *self.tail][start:stop]

    def pending(self, role: str) -> int:
        """Tokens of prompt and output that this role has not cached yet."""
        known = len(self.request.prompts[role]) + len(self.output)
        return max(0, known - self.computed[role])

    def advance(self, num_fed: Mapping[str, int]) -> None:
        for role, count in num_fed.items():
            self.computed[role] += count

    def charge(self, role: str, seconds: float) -> None:
        """One more pass of ``role``, this request's share of its time."""
        before = self.stats[role]
        self.stats[role] = MemberStats(passes=before.passes + 1, seconds=before.seconds + seconds)

    @property
    def usage(self) -> Usage:
        return Usage(prompt_tokens=self.request.prompt_len, completion_tokens=len(self.output))
