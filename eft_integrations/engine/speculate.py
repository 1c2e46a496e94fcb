"""Drafts: who proposes the next tokens of a sequence, and how many.

Every token is the argmax of adjusted log-probabilities plus noise that is fixed by seed, index and
id. A drafter chooses with its own log-probabilities and the same noise, the mixture verifies a
block in one pass, and a draft is kept as far as both agree: a text never depends on its drafts
(Leviathan et al. 2023, arXiv 2211.17192, for the block; section 3.4 of arXiv 2310.12962 for the
tuned member as the drafter).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from collections.abc import Sequence as Seq
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from eft_integrations.engine.drafting import Drafting, Track
from eft_integrations.engine.forward import Feed
from eft_integrations.engine.lengths import Bid, Costs, Scale, best_length, rate
from eft_integrations.engine.passes import Passes
from eft_integrations.engine.sampling import adjust, choose
from eft_integrations.engine.scheduler import Row
from eft_integrations.engine.sequence import Draft, Sequence
from eft_integrations.mixture import BASE
from eft_integrations.request import MAX_DRAFT
from eft_integrations.rule import log_probabilities, mixing_device

# The free drafters: an earlier place of the text, and a grammar that leaves no choice.
LOOKUP, GRAMMAR = "lookup", "grammar"
# After so many steps without a draft one is tried: texts change.
_RETRY = 64
_RETRY_LEN = 2


class Speculator:
    """Decides before a step who drafts how much, and drafts."""

    def __init__(
        self,
        passes: Passes,
        size: int,
        end_ids: Collection[int],
        *,
        drafters: Seq[str] = (),
        has_lookup: bool = True,
    ) -> None:
        self.passes = passes
        self.size = size
        self.end_ids = end_ids
        self.drafters = drafters
        self.has_lookup = has_lookup
        self._priors: defaultdict[str, Track] = defaultdict(lambda: Track(0.99))
        self._known: dict[int, Drafting] = {}
        self._bids: list[tuple[Sequence, Bid]] = []
        self._costs = Costs(passes.paces)
        self._plain, self._drafted = Scale(), Scale()
        self._num_plain = 0  # steps since the last draft
        self._clock = Clock(passes)

    # Before the step.

    def begin(self, running: Seq[Sequence]) -> None:
        """A step of these begins: what was known of others is dropped."""
        numbers = {sequence.number for sequence in running}
        self._known = {n: known for n, known in self._known.items() if n in numbers}
        self._bids = []
        self._costs = Costs(self.passes.paces)
        self._clock = Clock(self.passes)

    def prepare(self, sequence: Sequence) -> None:
        """Take its bid, or set the ``draft_len`` that it asks for."""
        sequence.draft_len = 0
        if sequence.is_scoring or not sequence.output:
            return
        wanted = sequence.request.sampling.speculation
        most = min(MAX_DRAFT, sequence.num_left - 1)
        bid = Bid(roles=sequence.roles)
        if wanted not in ("off", 0) and most >= 1:
            known = self._known.setdefault(
                sequence.number, Drafting(sequence.request.prompts[BASE])
            )
            if isinstance(wanted, int):
                sequence.draft_len = self._as_told(sequence, known, min(wanted, most))
            else:
                bid = self._bid(sequence, known, most)
        self._bids.append((sequence, bid))

    def agree(self, num_running: int) -> None:
        """All that bid draft as far as pays for all of them together."""
        bids = [bid for _, bid in self._bids]
        length = 0
        if any(bid.limit for bid in bids) and self._costs.are_known:
            length = best_length(bids, self._costs, drafted=self._drafted, plain=self._plain)
            self._num_plain = 0 if length else self._num_plain + 1
            if self._num_plain > _RETRY:
                self._num_plain, length = 0, _RETRY_LEN
        for sequence, bid in self._bids:
            if bid.limit:
                sequence.draft_len = min(bid.limit, length)
        if len(bids) == num_running:  # no prompts among them
            is_drafted = any(sequence.draft_len for sequence, _ in self._bids)
            self._clock.scale = self._drafted if is_drafted else self._plain

    def _as_told(self, sequence: Sequence, known: Drafting, length: int) -> int:
        """The tuned member drafts; where its weight is not positive, an earlier place."""
        tuned = self._tuned(sequence)
        if tuned is not None:
            known.drafter, known.proposal = tuned, ()
            return length
        known.drafter = LOOKUP
        known.proposal = known.look_up(sequence.output, length) if self.has_lookup else ()
        return len(known.proposal)

    def _tuned(self, sequence: Sequence) -> str | None:
        """The tuned member with the largest weight, if that is positive."""
        weights = sequence.weights
        tuned = max(self.drafters, key=lambda role: weights.get(role, 0.0), default=BASE)
        return tuned if tuned != BASE and weights.get(tuned, 0.0) > 0 else None

    def _bid(self, sequence: Sequence, known: Drafting, most: int) -> Bid:
        """The best of what it could draft, a limit of 0 where that is nothing."""
        roles = sequence.roles
        proposals = self._free(sequence, known, most)
        offers: dict[str, Bid] = {
            drafter: Bid(roles=roles, limit=len(tokens), chance=self._chance(known, drafter))
            for drafter, tokens in proposals.items()
        }
        writer = self._writer(sequence)
        if writer is not None:
            chance = self._chance(known, writer)
            offers[writer] = Bid(roles=roles, limit=most, chance=chance, writer=writer)
        if not offers or not self._costs.are_known:
            return Bid(roles=roles)
        # One offer needs no comparison, which takes a while.
        known.drafter = (
            next(iter(offers))
            if len(offers) == 1
            else max(offers, key=lambda drafter: self._most(offers[drafter]))
        )
        known.proposal = proposals.get(known.drafter, ())
        return offers[known.drafter]

    def _writer(self, sequence: Sequence) -> str | None:
        """The faster of the tuned member and, where the sizes are swapped, the base."""
        weights = sequence.weights
        roles = [self._tuned(sequence), BASE if weights.get(BASE, 0.0) > 0 else None]
        able = [role for role in roles if role is not None]
        return min(able, key=lambda role: self._costs.seconds(role, 1), default=None)

    def _chance(self, known: Drafting, drafter: str) -> float:
        return known.tracks[drafter].chance(self._priors[drafter].chance(0.8))

    def _most(self, bid: Bid) -> float:
        """Tokens a second of this row alone, at the best length."""
        return max(rate([bid], length, self._costs) for length in range(1, bid.limit + 1))

    def _free(self, sequence: Sequence, known: Drafting, most: int) -> dict[str, list[int]]:
        """What can be proposed without a pass."""
        found: dict[str, list[int]] = {}
        if sequence.grammar is not None:
            found[GRAMMAR] = sequence.grammar.forced()[:most]
        if self.has_lookup:
            found[LOOKUP] = known.look_up(sequence.output, most)
        return {drafter: tokens for drafter, tokens in found.items() if tokens}

    # In the step.

    def draft(self, rows: Seq[Row], running: Seq[Sequence]) -> list[Row]:
        """The rows with their drafts."""
        out = list(rows)
        writers: dict[str, list[int]] = {}
        for i, row in enumerate(rows):
            if len(row.blends) > row.num_logits:
                known = self._known[row.sequence.number]
                if known.proposal:
                    tokens = known.proposal[: len(row.blends) - row.num_logits]
                    out[i] = _with(row, Draft(tokens=tokens, drafter=known.drafter))
                else:
                    writers.setdefault(known.drafter, []).append(i)
        for role, indices in writers.items():
            drafts = self._write(role, [rows[i] for i in indices], running)
            for i, draft in zip(indices, drafts, strict=True):
                out[i] = _with(rows[i], draft)
        return out

    def _write(self, role: str, rows: Seq[Row], running: Seq[Sequence]) -> list[Draft]:
        """One pass of the role for each token, all rows together."""
        pens = [_Pen(row) for row in rows]
        writing = pens
        while writing:
            logits = self.passes.run(role, [pen.feed(role) for pen in writing], running)
            # What goes wrong here goes wrong again where the mixture comes to this place, and
            # fails its row there.
            picked: dict[_Pen, Tensor] = {}
            for pen, one in zip(writing, logits, strict=True):
                with suppress(Exception):
                    picked[pen] = pen.pick(one[-1], self.size)
            chosen = torch.stack(list(picked.values())).tolist() if picked else []
            for pen, token_id in zip(picked, chosen, strict=True):
                with suppress(Exception):
                    pen.write(token_id, self.end_ids)
            writing = [pen for pen in writing if pen.may_go_on]
        return [Draft(tokens=tuple(p.tokens), drafter=role, logits=p.logits) for p in pens]

    # After the step.

    def end(self) -> None:
        """All rows are settled."""
        self._clock.stop()

    def settle(self, row: Row, num_chosen: int) -> None:
        """``num_chosen`` tokens came of the row: note what of its draft was kept."""
        known, draft = self._known.get(row.sequence.number), row.draft
        if known is None:
            return
        if draft is not None:
            chosen = row.sequence.output[len(row.sequence.output) - num_chosen :]
            num_kept = sum(a == b for a, b in zip(chosen, draft.tokens, strict=False))
            was_refused = num_kept < min(num_chosen, len(draft.tokens))
            for track in (known.tracks[draft.drafter], self._priors[draft.drafter]):
                track.note(num_kept, was_refused=was_refused)
            self.passes.credit(row.sequence, draft.drafter, len(draft.tokens), num_kept)


class Clock:
    """What a step takes, and what of it its passes take."""

    def __init__(self, passes: Passes) -> None:
        self._passes = passes
        self._started = perf_counter(), passes.seconds
        self.scale: Scale | None = None  # where it is noted

    def stop(self) -> None:
        """The step is done."""
        whole, inside = perf_counter() - self._started[0], self._passes.seconds - self._started[1]
        if self.scale is not None and inside > 0:
            self.scale.note(inside, whole)


def _with(row: Row, draft: Draft) -> Row:
    """The row with the tokens of the draft to feed and to verify."""
    count = len(draft.tokens)
    row.sequence.draft = draft.tokens
    num_fed = {role: num + count for role, num in row.num_fed.items()}
    if draft.logits:
        num_fed[draft.drafter] = 1 + count - len(draft.logits)
    return replace(row, num_fed=num_fed, num_logits=row.num_logits + count, draft=draft)


class _Pen:
    """A draft while a role writes it."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.most = len(row.blends) - row.num_logits
        self.tokens: list[int] = []
        self.logits: list[Tensor] = []
        self.may_go_on = True
        grammar = row.sequence.grammar
        self.grammar: Any = None if grammar is None else grammar.copy()

    def feed(self, role: str) -> tuple[Sequence, Feed]:
        sequence = self.row.sequence
        start = sequence.computed[role]
        tokens = sequence.tokens(role, start, start + 1)
        sequence.computed[role] += 1
        return sequence, Feed(slot=self.row.slot, start=start, tokens=tokens, num_logits=1)

    def pick(self, logits: Tensor, size: int) -> Tensor:
        """What this role says here; there is no more until it is written."""
        self.may_go_on = False
        self.logits.append(logits)
        request, output = self.row.sequence.request, [*self.row.sequence.output, *self.tokens]
        log_probs = log_probabilities(logits[:size].to(mixing_device(logits.device)))
        scores = adjust(log_probs, request.sampling, request.prompts[BASE], output)
        if self.grammar is not None:
            scores = scores.masked_fill(~self.grammar.mask(scores.device), -torch.inf)
        return choose(scores, request.sampling, choice=request.choice, index=len(output))

    def write(self, token_id: int, end_ids: Collection[int]) -> None:
        """One more token; an end is none, and after it nothing is drafted."""
        if token_id in end_ids:
            return
        if self.grammar is not None:
            self.grammar.advance(token_id)
        self.tokens.append(token_id)
        self.row.sequence.draft = self.tokens
        is_closed = self.grammar is not None and self.grammar.is_closed
        self.may_go_on = len(self.tokens) < self.most and not is_closed
