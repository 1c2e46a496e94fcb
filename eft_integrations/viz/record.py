"""What is known of each token of an answer: plain frozen data, drawn by the rest of the room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eft_integrations.mixture import BASE, Mixture
from eft_integrations.request import FinishReason
from eft_integrations.viz.measure import COMMON, MIXTURE, NOBODY


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """One of the mixture's likeliest tokens at a position; ``label`` is how it is shown."""

    token_id: int
    label: str
    logprob: float


@dataclass(frozen=True, kw_only=True)
class TokenTrace:
    """One token.

    ``text`` is its part of the answer: empty for a control token, and for the first bytes of a
    character, which come with the last. ``label`` always shows something. ``logprob`` is that of
    the mixture, ``by_role`` that of each role alone. ``contributions`` are coefficient ×
    log-probability by role and ``normaliser`` (−log Z); they sum to ``logprob``. ``shares`` are
    those of :mod:`eft_integrations.viz.measure`. ``alternatives``: likeliest first.
    """

    index: int
    token_id: int
    text: str
    label: str
    is_control: bool
    logprob: float
    by_role: Mapping[str, float]
    contributions: Mapping[str, float]
    shares: Mapping[str, float]
    alternatives: tuple[Alternative, ...] = ()

    @property
    def shift(self) -> float:
        """log π(token) − log π_base(token), in nats: how far the mixture moved from the base.

        In the alpha form this is exactly Σ alpha_i (log π_tuned_i − log π_reference_i) − log Z.
        """
        return self.logprob - self.by_role[BASE]

    @property
    def speaker(self) -> str:
        """Whose share is the largest; of equal ones the common one."""
        return max(self.shares, key=lambda speaker: self.shares[speaker])

    @property
    def strength(self) -> float:
        """The speaker's share, up to 1."""
        return self.shares[self.speaker]

    @property
    def instead(self) -> Alternative | None:
        """The likeliest token that was not said."""
        others = (other for other in self.alternatives if other.token_id != self.token_id)
        return next(others, None)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """An answer, token by token; ``"".join(token.text for token in tokens) == text``.

    ``coefficients``: those of ``mixture`` by role. ``tuned``: the tuned roles, in order.
    ``finish_reason``: why the writing ended. ``is_given``: the text came from the caller, who asks
    who would have said it.
    """

    text: str
    tokens: tuple[TokenTrace, ...]
    mixture: Mixture
    coefficients: Mapping[str, float]
    tuned: tuple[str, ...]
    finish_reason: FinishReason = "stop"
    is_given: bool = False

    @property
    def speakers(self) -> tuple[str, ...]:
        """All that may have spoken, in the order of a legend."""
        return (COMMON, BASE, *self.tuned, MIXTURE, NOBODY)

    @property
    def shares(self) -> dict[str, float]:
        """Each speaker's mean share of the answer's tokens."""
        num_tokens = max(1, len(self.tokens))
        return {
            speaker: sum(token.shares.get(speaker, 0.0) for token in self.tokens) / num_tokens
            for speaker in self.speakers
        }

    @property
    def totals(self) -> dict[str, float]:
        """Log-probability of the whole answer under the mixture, and under each role alone."""
        alone = {
            role: sum(token.by_role[role] for token in self.tokens) for role in self.coefficients
        }
        return {MIXTURE: sum(token.logprob for token in self.tokens), **alone}

    def most_apart(self, num_tokens: int) -> tuple[TokenTrace, ...]:
        """The tokens that the mixture moved furthest from what one of its voices gives them.

        Up or down, from the base (what tuning did) or from a tuned member (what scale did).
        """
        heard = [role for role in (BASE, *self.tuned) if self.coefficients[role] > 0]

        def distance(token: TokenTrace) -> float:
            return max((abs(token.logprob - token.by_role[role]) for role in heard), default=0.0)

        return tuple(sorted(self.tokens, key=distance, reverse=True)[:num_tokens])
