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
from eft_integrations.rule import Mixed, combine, contributions, sent


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
    positions = sent(torch.tensor([predicted.spans[i].start + place for i in picked]), ids.device)
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
        pairs = torch.stack([ids.double(), values.double()], dim=-1).tolist()
        top = {int(id_): value for id_, value in pairs}
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
    """The next positions of the continuation, in ``span`` of the mixed rows: one transfer."""
    log_probs = predicted.mixed.log_probs[span]
    first = len(sequence.scored)
    known = (sequence.request.continuation or ())[first : first + len(log_probs)]
    ids = sent(torch.tensor(known), log_probs.device)[:, None]
    members = predicted.members
    taken = [
        rows.gather(1, ids)[:, 0] for rows in (log_probs, *(m[span] for m in members.values()))
    ]
    table = torch.stack([log_probs.argmax(-1).double(), *(one.double() for one in taken)], dim=-1)
    return [
        Scored(_known(logprob), dict(zip(members, by_member, strict=True)), int(greedy))
        for greedy, logprob, *by_member in table.tolist()
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
