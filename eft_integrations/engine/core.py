"""One step: plan → forward → mix → choose → commit. Synchronous; one thread calls it."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Seq
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eft_integrations.engine.commit import Chosen, commit, end
from eft_integrations.engine.forward import Fed, Feed, Runner
from eft_integrations.engine.sampling import adjust, choose
from eft_integrations.engine.scheduler import Row, Scheduler
from eft_integrations.engine.sequence import Blend, Item, Sequence
from eft_integrations.errors import EFTError, StepFailed
from eft_integrations.mixture import BASE
from eft_integrations.request import MemberStats, Score
from eft_integrations.rule import Mixed, combine, contributions, log_probabilities


@dataclass(frozen=True)
class Predicted:
    """The rows of a step that predict, as slices of the mixed rows: row i owns ``spans[i]``."""

    rows: Seq[Row]
    blends: Seq[Blend]
    spans: Seq[slice]
    members: Mapping[str, Tensor]
    mixed: Mixed


class Core:
    """The scheduler, the roles' runners and the rule. It owns no thread and no queue."""

    def __init__(
        self, runners: Mapping[str, Runner], scheduler: Scheduler, size: int, end_ids: set[int]
    ) -> None:
        self.runners = runners
        self.scheduler = scheduler
        self.size = size
        self.end_ids = end_ids
        self.num_steps = 0
        self.num_tokens = 0
        self.totals = dict.fromkeys(runners, MemberStats())

    @torch.inference_mode()
    def step(self) -> bool:
        """Advance everything by one token or one piece of prompt; False if there was nothing."""
        self._end_dropped()
        self.scheduler.admit()
        rows = self.scheduler.plan()
        if not rows:
            return False
        self.num_steps += 1
        # Whatever a forward pass raises must reach those who wait for it, and no one else.
        try:
            self._run(rows)
        except Exception as error:
            self._fail([row.sequence for row in rows], error)
        return True

    def abort(self, reason: Callable[[], EFTError]) -> None:
        """Fail everything that runs or waits, and give the caches' memory back."""
        for sequence in [*self.scheduler.running, *self.scheduler.waiting]:
            sequence.send(reason())
        self.scheduler.running.clear()
        self.scheduler.waiting.clear()
        for runner in self.runners.values():
            runner.clear()

    # The order of operations, once.

    def _run(self, rows: Seq[Row]) -> None:
        blends = {i: row.sequence.take_blend() for i, row in enumerate(rows) if row.num_logits}
        logits = self._forward(rows)
        for row in rows:
            row.sequence.advance(row.num_fed)
        predicted = self._mix(rows, blends, logits)
        if predicted is not None:
            self._score(predicted)
            self._choose(predicted)

    def _forward(self, rows: Seq[Row]) -> dict[str, dict[int, Tensor]]:
        """Each role's logits by row index, of the rows that predict."""
        out: dict[str, dict[int, Tensor]] = {}
        running = self.scheduler.running
        for role, runner in self.runners.items():
            feeding = [i for i, row in enumerate(rows) if row.num_fed.get(role)]
            feeds = [_feed(rows[i], role) for i in feeding]
            if feeds:
                # Rows that are not fed in this step keep their place too.
                held = max(sequence.computed[role] for sequence in running)
                runner.reserve(len(running), max(held, *(feed.end for feed in feeds)))
                fed = runner.run(feeds)
                self._charge(role, [rows[i].sequence for i in feeding], fed)
                out[role] = {
                    i: one.logits for i, one in zip(feeding, fed, strict=True) if len(one.logits)
                }
        return out

    def _mix(
        self,
        rows: Seq[Row],
        blends: Mapping[int, Blend],
        logits: Mapping[str, Mapping[int, Tensor]],
    ) -> Predicted | None:
        if not blends:
            return None
        chosen = list(blends)
        device = _mixing_device(logits[BASE][chosen[0]].device)
        members = {
            role: log_probabilities(
                torch.cat([by_row[i][:, : self.size].to(device) for i in chosen])
            )
            for role, by_row in logits.items()
        }
        counts = [rows[i].num_logits for i in chosen]
        terms = [blends[i].terms for i, num in zip(chosen, counts, strict=True) for _ in range(num)]
        starts = [sum(counts[:k]) for k in range(len(counts))]
        return Predicted(
            rows=[rows[i] for i in chosen],
            blends=[blends[i] for i in chosen],
            spans=[slice(start, start + num) for start, num in zip(starts, counts, strict=True)],
            members=members,
            mixed=combine(members, terms),
        )

    def _score(self, predicted: Predicted) -> None:
        """Take the log-probabilities of known continuations; retire those that are complete."""
        for row, span in zip(predicted.rows, predicted.spans, strict=True):
            sequence = row.sequence
            if sequence.is_scoring:
                with self._alone(sequence):
                    sequence.scored.extend(_scored(predicted, sequence, span))
                    if len(sequence.scored) == len(sequence.request.continuation or ()):
                        self._finish(sequence, _score_of(sequence))

    def _choose(self, predicted: Predicted) -> None:
        """Bias → penalties → grammar mask → temperature and filters → choose → commit."""
        picked: dict[int, Tensor] = {}
        for i, row in enumerate(predicted.rows):
            if not row.sequence.is_scoring:
                with self._alone(row.sequence):
                    picked[i] = self._pick(predicted, i)
        if not picked:
            return
        chosen = torch.stack(list(picked.values())).tolist()
        for i, token_id in zip(picked, chosen, strict=True):
            sequence = predicted.rows[i].sequence
            with self._alone(sequence):
                if sequence.grammar is not None:
                    token_id = sequence.grammar.within_budget(token_id, sequence.num_left)
                self._commit(sequence, _told(predicted, i, token_id))

    @contextmanager
    def _alone(self, sequence: Sequence) -> Iterator[None]:
        """What goes wrong with the numbers of one sequence is not its neighbours' affair."""
        try:
            yield
        except Exception as error:
            self._fail([sequence], error)

    def _pick(self, predicted: Predicted, i: int) -> Tensor:
        sequence = predicted.rows[i].sequence
        request = sequence.request
        log_probs = predicted.mixed.log_probs[predicted.spans[i]][-1]
        prompt = request.prompts[BASE]
        scores = adjust(log_probs, request.sampling, prompt, sequence.output)
        if sequence.grammar is not None:
            allowed = sequence.grammar.mask(scores.device)
            if predicted.blends[i].terms.mask is not None and scores[allowed].max() == -torch.inf:
                # The plausibility mask left nothing that the grammar allows: the grammar wins.
                unmasked = _without_plausibility(predicted, i)
                scores = adjust(unmasked, request.sampling, prompt, sequence.output)
            scores = scores.masked_fill(~allowed, -torch.inf)
        return choose(scores, request.sampling, choice=request.choice, index=len(sequence.output))

    def _commit(self, sequence: Sequence, told: Chosen) -> None:
        event = commit(sequence, told, self.end_ids)
        self.num_tokens += 1
        if event.finish_reason is None:
            sequence.send(event)
        else:
            self._finish(sequence, event)

    # Ends.

    def _end_dropped(self) -> None:
        """Cancelled and overdue sequences, running or waiting, end here with what they have."""
        now = time.monotonic()
        for sequence in [*self.scheduler.running, *self.scheduler.waiting]:
            if sequence.is_over(now):
                is_cancelled = sequence.is_cancelled
                self._finish(sequence, end(sequence, "cancelled" if is_cancelled else "timeout"))

    def _finish(self, sequence: Sequence, last: Item) -> None:
        """Free the slot, then tell: who is told may submit again and must find room."""
        try:
            self._retire(sequence)
        finally:
            sequence.send(last)

    def _retire(self, sequence: Sequence) -> None:
        if sequence in self.scheduler.waiting:
            self.scheduler.waiting.remove(sequence)
        if sequence not in self.scheduler.running:
            return
        move = self.scheduler.retire(sequence)
        if move is not None:
            for role, runner in self.runners.items():
                runner.move(move.source, move.target, move.sequence.computed[role])

    def _fail(self, sequences: Seq[Sequence], error: Exception) -> None:
        for sequence in sequences:
            if not sequence.is_ended:
                failure = StepFailed(
                    f"the step failed with {type(error).__name__}: {error}; "
                    f"this request is lost, the engine goes on"
                )
                failure.__cause__ = error
                self._finish(sequence, failure)
        # A consumer may keep the error; it must not keep the step's tensors with it.
        traceback.clear_frames(error.__traceback__)

    def _charge(self, role: str, sequences: Seq[Sequence], fed: Seq[Fed]) -> None:
        total = self.totals[role]
        passes = total.passes + len({one.group for one in fed})
        seconds = total.seconds + sum(one.seconds for one in fed)
        self.totals[role] = MemberStats(passes=passes, seconds=seconds)
        for sequence, one in zip(sequences, fed, strict=True):
            sequence.charge(role, one.seconds)


def _mixing_device(device: torch.device) -> torch.device:
    """Where the rule runs: with the base, but not on MPS, which has no float64 for the noise."""
    return torch.device("cpu") if device.type == "mps" else device


def _feed(row: Row, role: str) -> Feed:
    start = row.sequence.computed[role]
    tokens = row.sequence.tokens(role, start, start + row.num_fed[role])
    return Feed(slot=row.slot, start=start, tokens=tokens, num_logits=row.num_logits)


def _told(predicted: Predicted, i: int, token_id: int) -> Chosen:
    """The token with its log-probability, and what else the request wants to know."""
    request = predicted.rows[i].sequence.request
    position = predicted.spans[i].stop - 1
    log_probs = predicted.mixed.log_probs[position]
    blend = predicted.blends[i]
    top = None
    if request.sampling.top_logprobs:
        values, ids = log_probs.topk(min(request.sampling.top_logprobs, len(log_probs)))
        top = dict(zip(ids.tolist(), values.tolist(), strict=True))
    parts = None
    if request.contributions:
        parts = contributions(predicted.members, blend.terms, predicted.mixed, position, token_id)
    return Chosen(
        token_id=token_id,
        logprob=_known(float(log_probs[token_id])),
        mixture=blend.mixture,
        top_logprobs=top,
        contributions=parts,
    )


def _known(logprob: float) -> float:
    """A number; a member whose logits are nan fails its request."""
    if math.isnan(logprob):
        raise ArithmeticError("a member returned logits that are nan")
    return logprob


def _without_plausibility(predicted: Predicted, i: int) -> Tensor:
    position = predicted.spans[i].stop - 1
    members = {role: rows[position : position + 1] for role, rows in predicted.members.items()}
    return combine(members, [replace(predicted.blends[i].terms, mask=None)]).log_probs[0]


@dataclass(frozen=True)
class _Scored:
    """One position of a continuation."""

    logprob: float
    by_member: Mapping[str, float]
    greedy_id: int


def _scored(predicted: Predicted, sequence: Sequence, span: slice) -> list[_Scored]:
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
        _Scored(taken[k], {role: values[k] for role, values in by_member.items()}, greedy[k])
        for k in range(len(known))
    ]


def _score_of(sequence: Sequence) -> Score:
    scored: list[_Scored] = sequence.scored
    token_ids = sequence.request.continuation or ()
    greedy_ids = tuple(one.greedy_id for one in scored)
    return Score(
        token_ids=token_ids,
        logprobs=tuple(one.logprob for one in scored),
        by_member={role: tuple(o.by_member[role] for o in scored) for role in sequence.computed},
        greedy_ids=greedy_ids,
        is_greedy=greedy_ids == token_ids,
    )
