"""One running text: its tokens, how much of them each role has cached, where its events go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Seq
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eft_integrations.engine.detokenize import Detokenizer
from eft_integrations.engine.stopping import StopStrings
from eft_integrations.errors import EFTError
from eft_integrations.mixture import BASE, Mixture, Terms
from eft_integrations.request import MemberStats, Request, Score, TokenEvent, Usage

Item = TokenEvent | Score | EFTError
Sink = Callable[[Item], None]


@dataclass(frozen=True, kw_only=True)
class Blend:
    """A mixture with its terms, and the first token that it holds for."""

    mixture: Mixture
    terms: Terms
    start: int = 0

    @property
    def roles(self) -> set[str]:
        """The roles that have a say, if only through a filter or a mask."""
        terms = self.terms
        heard = {role for role, c in terms.coefficients.items() if c}
        heard |= {role for term in terms.filters for role in (BASE, term.tuned, term.reference)}
        return heard if terms.mask is None else heard | {terms.mask.role}


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Tokens that may come next, and who says so: a role, or one of the free drafters.

    ``logits``: what a drafting role predicted on the way, one row for each token of the draft and
    perhaps one more.
    """

    tokens: Seq[int]
    drafter: str
    logits: Seq[Any] = ()


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
        self.draft: Seq[int] = ()  # of the step that runs
        self.draft_len = 0  # at most, in the next step
        self.is_cancelled = False  # set by any thread
        self._lock = threading.Lock()
        self._blends = [Blend(mixture=request.mixture, terms=request.terms)]
        self._next_index = 0

    def set_blend(self, mixture: Mixture, terms: Terms) -> int:
        """From any thread: they hold from the next token that is not yet planned; its index."""
        with self._lock:
            self._blends.append(Blend(mixture=mixture, terms=terms, start=self._next_index))
            return self._next_index

    @contextmanager
    def planning(self) -> Iterator[set[str]]:
        """While a step is planned nobody sets a blend. The roles that the next token needs."""
        with self._lock:
            index = len(self.output)
            started = [at for at, blend in enumerate(self._blends) if blend.start <= index]
            self._blends = self._blends[started[-1] :]
            yield self.roles

    @property
    def weights(self) -> Mapping[str, float]:
        """The coefficients of the next token, by role."""
        index = len(self.output)
        return next(b for b in reversed(self._blends) if b.start <= index).terms.coefficients

    @property
    def roles(self) -> set[str]:
        """The roles of the blends to come; the base where nobody has a say."""
        if self.is_scoring:
            return set(self.computed)
        heard: set[str] = set()
        return heard.union(*(blend.roles for blend in self._blends)) or {BASE}

    def take_blends(self, count: int) -> list[Blend]:
        """The blends of the next ``count`` tokens, while planning: none of them changes now."""
        index = len(self.output)
        self._next_index = index + count
        return [
            next(blend for blend in reversed(self._blends) if blend.start <= at)
            for at in range(index, index + count)
        ]

    def settle(self) -> None:
        """After a step: drafts that were refused are planned anew; forget them in the caches."""
        with self._lock:
            self._next_index = len(self.output)
        for role, prompt in self.request.prompts.items():
            known = len(prompt) + len(self.output)
            self.computed[role] = min(self.computed[role], known - 1)
        self.draft = ()

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
        """Tokens beyond prompt and output: what a scoring request scores, but the last; a draft."""
        known = self.request.continuation
        return tuple(self.draft) if known is None else known[:-1]

    @property
    def num_unfed(self) -> int:
        """Tokens of the tail that no role has seen yet."""
        return len(self.tail) - max(0, len(self.scored) - 1) if self.is_scoring else 0

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

    def cached(self) -> dict[str, int]:
        """How many cached positions of each role are those of its text, without refused drafts."""
        if self.is_scoring:
            return dict(self.computed)
        written = max(0, len(self.output) - 1)
        prompts = self.request.prompts
        return {role: min(n, len(prompts[role]) + written) for role, n in self.computed.items()}

    def advance(self, num_fed: Mapping[str, int]) -> None:
        for role, count in num_fed.items():
            self.computed[role] += count

    def charge(self, role: str, cost: MemberStats) -> None:
        """What ``role``, or a free drafter, did for this request."""
        self.stats[role] = self.stats.get(role, MemberStats()) + cost

    @property
    def usage(self) -> Usage:
        return Usage(prompt_tokens=self.request.prompt_len, completion_tokens=len(self.output))
