"""Plain frozen data that crosses rooms: what is asked, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from eft_integrations import checks
from eft_integrations.errors import InvalidRequest
from eft_integrations.mixture import Mixture, Terms

T = TypeVar("T")
FinishReason = Literal["stop", "length", "timeout", "cancelled"]
MAX_SEED = 2**63 - 1
MAX_CHOICES = 1024
MAX_DRAFT = 16
MAX_BIAS = 10_000.0  # beats any log-probability


class PerRow(Generic[T]):
    """One value of an option for each prompt of a batch, in order."""

    def __init__(self, values: Sequence[T]) -> None:
        if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Sequence):
            raise InvalidRequest(f"PerRow needs a list with one value a prompt, got {values!r}")
        self.values = tuple(values)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[T]:
        return iter(self.values)

    def __repr__(self) -> str:
        return f"PerRow({list(self.values)!r})"


@checks.refusing_unknown
@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a token is chosen from the mixture, and when to stop.

    ``temperature`` 0 is argmax, ties to the lowest id. ``seed`` makes a text a pure function of
    the request, whatever else is in the batch. Penalties act on log-probabilities:
    ``repetition_penalty`` makes tokens of prompt or output less likely (arXiv 1909.05858),
    ``presence_penalty`` and ``frequency_penalty`` are subtracted, once or per occurrence in the
    output. ``max_tokens=None`` runs to the end of the context. ``timeout`` is in seconds from
    submission and ends with the partial text. ``top_logprobs`` implies ``logprobs``.
    ``speculation``: how many tokens are drafted before the mixture decides, ``"auto"`` as it pays,
    ``"off"``, or a number; it changes the speed and never the text.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] | None = None
    seed: int | None = None
    n: int = 1
    logprobs: bool = False
    top_logprobs: int = 0
    stop: str | Sequence[str] | None = None
    stop_token_ids: Sequence[int] | None = None
    max_tokens: int | None = 64
    timeout: float | None = None
    speculation: int | Literal["auto", "off"] = "auto"

    def __post_init__(self) -> None:
        self._check_choice()
        self._check_output()
        object.__setattr__(self, "stop", checks.strings("stop", self.stop))
        given = () if self.stop_token_ids is None else self.stop_token_ids
        ids = checks.token_ids("stop_token_ids", given)
        object.__setattr__(self, "stop_token_ids", ids)
        object.__setattr__(self, "logit_bias", _bias(self.logit_bias))

    def _check_choice(self) -> None:
        checks.number("temperature", self.temperature, low=0)
        if self.top_k is not None:
            checks.integer("top_k", self.top_k, low=1)
        if self.top_p is not None:
            checks.number("top_p", self.top_p, above=0, high=1)
        if self.min_p is not None:
            checks.number("min_p", self.min_p, low=0, high=1)
        checks.number("repetition_penalty", self.repetition_penalty, above=0, high=1000)
        checks.number("presence_penalty", self.presence_penalty, low=-2, high=2)
        checks.number("frequency_penalty", self.frequency_penalty, low=-2, high=2)
        if self.seed is not None:
            checks.integer("seed", self.seed, low=0, high=MAX_SEED)

    def _check_output(self) -> None:
        checks.integer("n", self.n, low=1, high=MAX_CHOICES)
        checks.flag("logprobs", self.logprobs)
        checks.integer("top_logprobs", self.top_logprobs, low=0)
        if self.max_tokens is not None:
            checks.integer("max_tokens", self.max_tokens, low=1)
        if self.timeout is not None:
            checks.number("timeout", self.timeout, above=0)
        if isinstance(self.speculation, str) and self.speculation not in ("auto", "off"):
            raise InvalidRequest(
                f"speculation must be 'auto', 'off' or a number of tokens up to {MAX_DRAFT}, "
                f"got {self.speculation!r}"
            )
        if not isinstance(self.speculation, str):
            checks.integer("speculation", self.speculation, low=0, high=MAX_DRAFT)

    @property
    def stop_strings(self) -> tuple[str, ...]:
        return tuple(self.stop or ())  # a tuple since __post_init__

    @property
    def wants_logprobs(self) -> bool:
        return self.logprobs or self.top_logprobs > 0


def _bias(bias: Mapping[int, float] | None) -> dict[int, float]:
    if bias is None:
        return {}
    if not isinstance(bias, Mapping):
        raise InvalidRequest(f"logit_bias must map token ids to numbers, got {bias!r}")
    return {
        checks.integer("logit_bias (each id)", token, low=0): checks.number(
            f"logit_bias[{token}]", value, low=-MAX_BIAS, high=MAX_BIAS
        )
        for token, value in bias.items()
    }


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A grammar for the output: one of JSON schema, regex, choice, or Lark."""

    kind: Literal["json_schema", "regex", "choice", "grammar"]
    value: object
    close_within_budget: bool = True


@dataclass(frozen=True, kw_only=True)
class Request:
    """One sequence for the engine: token ids by role, terms, sampling, constraint.

    ``sampling.seed`` is set here. ``continuation`` is what a scoring request scores.
    ``choice`` tells the choices of one seed apart.
    """

    prompts: Mapping[str, tuple[int, ...]]
    mixture: Mixture
    terms: Terms
    sampling: Sampling
    constraint: Constraint | None = None
    contributions: bool = False
    choice: int = 0
    continuation: tuple[int, ...] | None = None

    @property
    def prompt_len(self) -> int:
        """Tokens of the longest prompt among the roles."""
        return max(len(ids) for ids in self.prompts.values())


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one generation; ``cached_tokens`` of the prompt came from a cache."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def counts(self) -> dict[str, int]:
        """As OpenAI's API names them."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        }


@dataclass(frozen=True, kw_only=True)
class MemberStats:
    """What one role cost one generation: forward passes it sat in, and its share of their time.

    A pass of k rows that takes t seconds counts t/k for each row. ``drafted`` tokens were proposed
    by this role, and ``accepted`` of them were what the mixture chose. ``reused`` tokens of prompts
    were in the cache already.
    """

    passes: int = 0
    seconds: float = 0.0
    drafted: int = 0
    accepted: int = 0
    reused: int = 0

    def __add__(self, other: MemberStats) -> MemberStats:
        return MemberStats(
            passes=self.passes + other.passes,
            seconds=self.seconds + other.seconds,
            drafted=self.drafted + other.drafted,
            accepted=self.accepted + other.accepted,
            reused=self.reused + other.reused,
        )


@dataclass(frozen=True, kw_only=True)
class TokenEvent:
    """One token, in order; the only output of the engine.

    ``text`` may lag behind ``token_id``: half a character and what may become a stop string are
    held back. The last event has ``finish_reason`` and ``usage``; its ``token_id`` is None where
    it only flushes text. ``logprob`` is that of the mixture before bias, penalties, grammar and
    temperature. ``contributions``: coefficient × log-probability by role, and ``normaliser``.
    """

    index: int
    token_id: int | None
    text: str
    logprob: float | None = None
    top_logprobs: Mapping[int, float] | None = None
    contributions: Mapping[str, float] | None = None
    mixture: Mixture | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    stats: Mapping[str, MemberStats] | None = None


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A finished text.

    ``token_ids`` includes the end or stop token, which has no text. ``logprobs``,
    ``top_logprobs`` and ``contributions`` have one entry a token where they were asked for, else
    they are None. ``choices`` holds all ``n`` of them where n > 1, else it is empty; the generation
    itself, its usage included, mirrors the first.
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    usage: Usage
    logprobs: tuple[float, ...] | None = None
    top_logprobs: tuple[Mapping[int, float], ...] | None = None
    contributions: tuple[Mapping[str, float], ...] | None = None
    stats: Mapping[str, MemberStats] = field(default_factory=dict)
    choices: tuple[Generation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Score:
    """Log-probabilities of a given continuation.

    ``logprobs`` [num_tokens] under the mixture, ``by_member`` [num_tokens] of each role alone,
    ``greedy_ids`` [num_tokens]: the mixture's likeliest token at each position, given the
    continuation before it. ``is_greedy``: they are the continuation itself.
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    by_member: Mapping[str, tuple[float, ...]]
    greedy_ids: tuple[int, ...]
    is_greedy: bool

    @property
    def total(self) -> float:
        """Log-probability of the whole continuation."""
        return sum(self.logprobs)
