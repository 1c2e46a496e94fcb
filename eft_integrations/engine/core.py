"""One step: plan → draft → forward → mix → choose → commit. Synchronous; one thread calls it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Seq
from contextlib import contextmanager

import torch
from torch import Tensor

from eft_integrations.engine.commit import Chosen, commit, end
from eft_integrations.engine.forward import Feed, Runner
from eft_integrations.engine.passes import Passes
from eft_integrations.engine.predicted import (
    Predicted,
    read,
    score_of,
    scored,
    told,
    without_plausibility,
)
from eft_integrations.engine.sampling import adjust, choose
from eft_integrations.engine.scheduler import Row, Scheduler
from eft_integrations.engine.sequence import Item, Sequence
from eft_integrations.engine.speculate import Speculator
from eft_integrations.errors import EFTError, StepFailed
from eft_integrations.mixture import BASE
from eft_integrations.rule import combine, log_probabilities, mixing_device, sent


class Core:
    """The scheduler, the roles' runners and the rule. It owns no thread and no queue."""

    def __init__(
        self,
        runners: Mapping[str, Runner],
        scheduler: Scheduler,
        size: int,
        end_ids: set[int],
        *,
        drafters: Seq[str] = (),
        has_lookup: bool = True,
        prefix_bytes: int = 0,
    ) -> None:
        self.passes = Passes(runners, prefix_bytes)
        self.scheduler = scheduler
        self.size = size
        self.end_ids = end_ids
        self.num_steps = 0
        self.num_tokens = 0
        self.speculator = Speculator(
            self.passes, size, end_ids, drafters=drafters, has_lookup=has_lookup
        )

    @torch.inference_mode()
    def step(self) -> bool:
        """Advance everything by one token or one piece of prompt; False if there was nothing."""
        self._end_dropped()
        self.scheduler.admit()
        self._resume()
        self.speculator.begin(self.scheduler.running)
        for sequence in [*self.scheduler.running]:
            with self._alone(sequence):
                self.speculator.prepare(sequence)
        self.speculator.agree(len(self.scheduler.running))
        rows = self.scheduler.plan()
        if not rows:
            return False
        self.num_steps += 1
        # Whatever a forward pass raises must reach those who wait for it, and no one else.
        try:
            self._run(rows)
        except Exception as error:
            self._fail([row.sequence for row in rows], error)
        self.speculator.end()
        return True

    def abort(self, reason: Callable[[], EFTError]) -> None:
        """Fail everything that runs or waits, and give the caches' memory back."""
        for sequence in [*self.scheduler.running, *self.scheduler.waiting]:
            sequence.send(reason())
        self.scheduler.running.clear()
        self.scheduler.waiting.clear()
        self.passes.clear()

    def _resume(self) -> None:
        """Texts that begin now begin with what is known of their beginning."""
        running = self.scheduler.running
        for slot, sequence in enumerate([*running]):
            if not any(sequence.computed.values()):
                with self._alone(sequence):
                    self.passes.resume(slot, sequence, running)

    # The order of operations, once.

    def _run(self, rows: Seq[Row]) -> None:
        rows = self.speculator.draft(rows, self.scheduler.running)
        logits = self._forward(rows)
        for row in rows:
            row.sequence.advance(row.num_fed)
        predicted = self._mix(rows, logits)
        if predicted is not None:
            self._score(predicted)
            self._choose(predicted)

    def _forward(self, rows: Seq[Row]) -> dict[str, dict[int, Tensor]]:
        """Each role's logits by row index, of the rows that predict."""
        out: dict[str, dict[int, Tensor]] = {}
        for role in self.passes.runners:
            feeding = [i for i, row in enumerate(rows) if row.num_fed.get(role)]
            feeds = [(rows[i].sequence, _feed(rows[i], role)) for i in feeding]
            if feeds:
                fed = self.passes.run(role, feeds, self.scheduler.running)
                found = dict(zip(feeding, fed, strict=True))
            else:
                found = {}
            written = {
                i: torch.cat(
                    [torch.stack([*row.draft.logits]), *([found[i]] if i in found else [])]
                )
                for i, row in enumerate(rows)
                if row.draft is not None and row.draft.logits and row.draft.drafter == role
            }
            out[role] = {i: one for i, one in (found | written).items() if len(one)}
        return out

    def _mix(self, rows: Seq[Row], logits: Mapping[str, Mapping[int, Tensor]]) -> Predicted | None:
        chosen = [i for i, row in enumerate(rows) if row.num_logits]
        if not chosen:
            return None
        counts = [rows[i].num_logits for i in chosen]
        starts = [sum(counts[:k]) for k in range(len(counts))]
        heard = {role: by_row for role, by_row in logits.items() if by_row}
        # Where the first role is: the base, if it has a say.
        device = mixing_device(
            next(one for by_row in heard.values() for one in by_row.values()).device
        )
        members = {
            role: self._aligned(by_row, dict(zip(chosen, counts, strict=True)), device)
            for role, by_row in heard.items()
        }
        terms = [blend.terms for i in chosen for blend in rows[i].blends[: rows[i].num_logits]]
        return Predicted(
            rows=[rows[i] for i in chosen],
            spans=[slice(start, start + num) for start, num in zip(starts, counts, strict=True)],
            members=members,
            mixed=combine(members, terms),
        )

    def _aligned(
        self, by_row: Mapping[int, Tensor], counts: Mapping[int, int], device: torch.device
    ) -> Tensor:
        """Log-probabilities [N, V] of one role; of rows in which it has no say, any."""
        like = next(iter(by_row.values()))
        parts = [
            by_row[i][:, : self.size] if i in by_row else like.new_zeros(num, self.size)
            for i, num in counts.items()
        ]
        # Between devices logits go as the model wrote them, at once, and without the cut ids.
        logits = parts[0] if len(parts) == 1 else torch.cat(parts)
        return log_probabilities(sent(logits, device))

    def _score(self, predicted: Predicted) -> None:
        """Take the log-probabilities of known continuations; retire those that are complete."""
        for row, span in zip(predicted.rows, predicted.spans, strict=True):
            sequence = row.sequence
            if sequence.is_scoring:
                with self._alone(sequence):
                    sequence.scored.extend(scored(predicted, sequence, span))
                    self.passes.settle()
                    if len(sequence.scored) == len(sequence.request.continuation or ()):
                        self._finish(sequence, score_of(sequence))

    def _choose(self, predicted: Predicted) -> None:
        """Bias → penalties → grammar mask → temperature and filters → choose → commit.

        One position of all rows after the other, as far as each row's draft is what is chosen.
        """
        writing = [i for i, row in enumerate(predicted.rows) if not row.sequence.is_scoring]
        num_before = {i: len(predicted.rows[i].sequence.output) for i in writing}
        place = 0
        while writing:
            writing = self._choose_at(predicted, writing, place)
            place += 1
        for i, num in num_before.items():
            row = predicted.rows[i]
            self.speculator.settle(row, len(row.sequence.output) - num)
            row.sequence.settle()

    def _choose_at(self, predicted: Predicted, writing: Seq[int], place: int) -> list[int]:
        """Choose and commit at one place of these rows; the rows whose next place counts too."""
        picked: dict[int, Tensor] = {}
        for i in writing:
            with self._alone(predicted.rows[i].sequence):
                picked[i] = self._pick(predicted, i, place)
        found = read(predicted, picked, place)
        self.passes.settle()
        for i, (token_id, logprob) in found.items():
            sequence = predicted.rows[i].sequence
            with self._alone(sequence):
                if sequence.grammar is not None:
                    kept = sequence.grammar.within_budget(token_id, sequence.num_left)
                    if kept != token_id:
                        log_probs = predicted.mixed.log_probs[predicted.spans[i].start + place]
                        token_id, logprob = kept, float(log_probs[kept])
                self._commit(sequence, told(predicted, i, place, token_id, logprob))
        return [i for i in picked if _is_as_drafted(predicted.rows[i], place)]

    @contextmanager
    def _alone(self, sequence: Sequence) -> Iterator[None]:
        """What goes wrong with the numbers of one sequence is not its neighbours' affair."""
        try:
            yield
        except Exception as error:
            self._fail([sequence], error)

    def _pick(self, predicted: Predicted, i: int, place: int) -> Tensor:
        sequence = predicted.rows[i].sequence
        request = sequence.request
        log_probs = predicted.mixed.log_probs[predicted.spans[i].start + place]
        prompt = request.prompts[BASE]
        scores = adjust(log_probs, request.sampling, prompt, sequence.output)
        if sequence.grammar is not None:
            refused = ~sequence.grammar.mask(scores.device)
            scores = scores.masked_fill(refused, -torch.inf)
            terms = predicted.rows[i].blends[place].terms
            if terms.mask is not None and scores.max() == -torch.inf:
                # The plausibility mask left nothing that the grammar allows: the grammar wins.
                unmasked = without_plausibility(predicted, i, place)
                scores = adjust(unmasked, request.sampling, prompt, sequence.output)
                scores = scores.masked_fill(refused, -torch.inf)
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
            self._retire(sequence, is_well=not isinstance(last, EFTError))
        finally:
            sequence.send(last)

    def _retire(self, sequence: Sequence, *, is_well: bool) -> None:
        if sequence in self.scheduler.waiting:
            self.scheduler.waiting.remove(sequence)
        if sequence not in self.scheduler.running:
            return
        if is_well:
            self.passes.keep(self.scheduler.running.index(sequence), sequence)
        move = self.scheduler.retire(sequence)
        if move is not None:
            self.passes.move(move.source, move.target, move.sequence.computed)

    def _fail(self, sequences: Seq[Sequence], error: Exception) -> None:
        for sequence in sequences:
            if not sequence.is_ended:
                failure = StepFailed(
                    f"the step failed with {type(error).__name__}: {error}; "
                    f"this request is lost, the engine goes on{_remedy(error)}"
                )
                failure.__cause__ = error
                self._finish(sequence, failure)
        # A consumer may keep the error; it must not keep the step's tensors with it.
        traceback.clear_frames(error.__traceback__)


def _remedy(error: Exception) -> str:
    is_full = isinstance(error, torch.OutOfMemoryError)
    return "; lower kv_memory, max_slots or prefill_chunk" if is_full else ""


def _feed(row: Row, role: str) -> Feed:
    start = row.sequence.computed[role]
    tokens = row.sequence.tokens(role, start, start + row.num_fed[role])
    draft = row.draft
    is_known = draft is not None and draft.drafter == role
    num_logits = row.num_logits - (len(draft.logits) if draft and is_known else 0)
    return Feed(slot=row.slot, start=start, tokens=tokens, num_logits=num_logits)


def _is_as_drafted(row: Row, place: int) -> bool:
    """Whether what was chosen at this place is the draft's token, so that the next place counts."""
    drafted = row.draft.tokens if row.draft is not None else ()
    is_over = row.sequence.is_ended or place >= len(drafted)
    return not is_over and row.sequence.output[-1] == drafted[place]
