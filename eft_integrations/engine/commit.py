"""A chosen token → the event that tells of it. No torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from eft_integrations.engine.sequence import Sequence
from eft_integrations.mixture import Mixture
from eft_integrations.request import FinishReason, TokenEvent


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """One token and what is told about it."""

    token_id: int
    logprob: float
    mixture: Mixture
    top_logprobs: Mapping[int, float] | None = None
    contributions: Mapping[str, float] | None = None


def commit(sequence: Sequence, chosen: Chosen, end_ids: Collection[int]) -> TokenEvent:
    """Append the token, and tell: the text it completes, and whether it was the last."""
    sequence.output.append(chosen.token_id)
    is_end = chosen.token_id in end_ids or chosen.token_id in (
        sequence.request.sampling.stop_token_ids or ()
    )
    text = "" if is_end else sequence.stops.push(sequence.detokenizer.push(chosen.token_id))
    if sequence.grammar is not None:
        sequence.grammar.advance(chosen.token_id, is_end=is_end)
    reason = _finish_reason(sequence, is_end=is_end)
    return TokenEvent(
        index=len(sequence.output) - 1,
        token_id=chosen.token_id,
        text=text + _rest(sequence) if reason else text,
        logprob=chosen.logprob,
        top_logprobs=chosen.top_logprobs,
        contributions=chosen.contributions,
        mixture=chosen.mixture,
        finish_reason=reason,
        usage=sequence.usage if reason else None,
        stats=dict(sequence.stats) if reason else None,
    )


def end(sequence: Sequence, reason: FinishReason) -> TokenEvent:
    """The last event of a sequence that is ended from outside: no token, what text is left."""
    return TokenEvent(
        index=len(sequence.output),
        token_id=None,
        text=_rest(sequence),
        finish_reason=reason,
        usage=sequence.usage,
        stats=dict(sequence.stats),
    )


def _finish_reason(sequence: Sequence, *, is_end: bool) -> FinishReason | None:
    is_closed = sequence.grammar is not None and sequence.grammar.is_closed
    if is_end or sequence.stops.is_done or is_closed:
        return "stop"
    return "length" if sequence.num_left <= 0 else None


def _rest(sequence: Sequence) -> str:
    """Text held back until now; what follows a stop string stays unsaid."""
    if sequence.stops.is_done:
        return ""
    shown = sequence.stops.push(sequence.detokenizer.flush())
    return shown if sequence.stops.is_done else shown + sequence.stops.flush()
