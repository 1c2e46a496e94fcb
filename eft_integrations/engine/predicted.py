"""What a step predicted, and how it is read: chosen tokens, scores of known ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eft_integrations.engine.commit import Chosen
from eft_integrations.engine.scheduler import Row
from eft_integrations.engine.sequence import Sequence
from eft_integrations.request import Score
from eft_integrations.rule import Mixed, combine, contributions


@dataclass(frozen=True)
class Predicted:
    """The rows of a step that predict, as slices of the mixed rows: row i owns ``spans[i]``."""

    rows: Seq[Row]
    spans: Seq[slice]
    members: Mapping[str, Tensor]
    mixed: Mixed


def read(
    predicted: Predicted, picked: Mapping[int, Tensor], place: int
) -> dict[int, tuple[int, float]]:
    """The ids that were picked at this place, with their log-probabilities: one transfer."""
    if not picked:
        return {}
    ids = torch.stack(list(picked.values()))
    positions = torch.tensor([predicted.spans[i].start + place for i in picked], device=ids.device)
    logprobs = predicted.mixed.log_probs[positions, ids]
    pairs = torch.stack([ids.double(), logprobs.double()], dim=-1).tolist()
    return {i: (int(id_), value) for i, (id_, value) in zip(picked, pairs, strict=True)}


def told(predicted: Predicted, i: int, place: int, token_id: int, logprob: float) -> Chosen:
    """The token with its log-probability, and what else the request wants to know."""
    request = predicted.rows[i].sequence.request
    position = predicted.spans[i].start + place
    log_probs = predicted.mixed.log_probs[position]
    blend = predicted.rows[i].blends[place]
    top = None
    if request.sampling.top_logprobs:
        values, ids = log_probs.topk(min(request.sampling.top_logprobs, len(log_probs)))
        top = dict(zip(ids.tolist(), values.tolist(), strict=True))
    parts = None
    if request.contributions:
        parts = contributions(predicted.members, blend.terms, predicted.mixed, position, token_id)
    return Chosen(
        token_id=token_id,
        logprob=_known(logprob),
        mixture=blend.mixture,
        top_logprobs=top,
        contributions=parts,
    )


def _known(logprob: float) -> float:
    """A number; a member whose logits are nan fails its request."""
    if math.isnan(logprob):
        raise ArithmeticError("a member returned logits that are nan")
    return logprob


def without_plausibility(predicted: Predicted, i: int, place: int) -> Tensor:
    position = predicted.spans[i].start + place
    members = {role: rows[position : position + 1] for role, rows in predicted.members.items()}
    terms = replace(predicted.rows[i].blends[place].terms, mask=None)
    return combine(members, [terms]).log_probs[0]


@dataclass(frozen=True)
class Scored:
    """One position of a continuation."""

    logprob: float
    by_member: Mapping[str, float]
    greedy_id: int


def scored(predicted: Predicted, sequence: Sequence, span: slice) -> list[Scored]:
    """The next positions of the continuation, in ``span`` of the mixed rows."""
    log_probs = predicted.mixed.log_probs[span]
    first = len(sequence.scored)
    known = (sequence.request.continuation or ())[first : first + len(log_probs)]
    ids = torch.tensor(known, device=log_probs.device)[:, None]
    taken = [_known(value) for value in log_probs.gather(1, ids)[:, 0].tolist()]
    by_member = {
        role: rows[span].gather(1, ids)[:, 0].tolist() for role, rows in predicted.members.items()
    }
    greedy = log_probs.argmax(-1).tolist()
    return [
        Scored(taken[k], {role: values[k] for role, values in by_member.items()}, greedy[k])
        for k in range(len(known))
    ]


def score_of(sequence: Sequence) -> Score:
    scored: list[Scored] = sequence.scored
    token_ids = sequence.request.continuation or ()
    greedy_ids = tuple(one.greedy_id for one in scored)
    return Score(
        token_ids=token_ids,
        logprobs=tuple(one.logprob for one in scored),
        by_member={role: tuple(o.by_member[role] for o in scored) for role in sequence.computed},
        greedy_ids=greedy_ids,
        is_greedy=greedy_ids == token_ids,
    )
