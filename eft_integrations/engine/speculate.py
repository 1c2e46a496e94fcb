"""Drafts: who proposes the next tokens of a sequence, and how many.

Every token is the argmax of adjusted log-probabilities plus noise that is fixed by seed, index and
id. A drafter chooses with its own log-probabilities and the same noise, the mixture verifies a
block in one pass, and a draft is kept as far as both agree: a text never depends on its drafts
(Leviathan et al. 2023, arXiv 2211.17192, for the block; section 3.4 of arXiv 2310.12962 for the
tuned member as the drafter).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from collections.abc import Sequence as Seq
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from eft_integrations.engine.forward import Feed
from eft_integrations.engine.passes import Passes
from eft_integrations.engine.sampling import adjust, choose
from eft_integrations.engine.scheduler import Row
from eft_integrations.engine.sequence import Draft, Sequence
from eft_integrations.mixture import BASE
from eft_integrations.request import MAX_DRAFT
from eft_integrations.rule import log_probabilities

# The free drafters: an earlier place of the text, and a grammar that leaves no choice.
LOOKUP, GRAMMAR = "lookup", "grammar"
_GRAM = 3
# After so many tokens without a draft one is tried: texts change.
_RETRY = 64
_RETRY_LEN = 2


class Track:
    """How often what a drafter said was kept; the recent counts more."""

    def __init__(self, memory: float) -> None:
        self.memory = memory
        self.offered = 0.0
        self.kept = 0.0

    def note(self, num_kept: int, *, was_refused: bool) -> None:
        """So many tokens of a draft were kept, and one more was refused or not."""
        fading = self.memory ** (num_kept + was_refused)
        self.kept = self.kept * fading + num_kept
        self.offered = self.offered * fading + num_kept + was_refused

    def chance(self, prior: float) -> float:
        """The probability that a token is kept, where ``prior`` counts as two observations."""
        return (self.kept + 2 * prior) / (self.offered + 2)


class Lookup:
    """Where the last few tokens stood before: what followed there may follow here."""

    def __init__(self, tokens: Seq[int]) -> None:
        self.tokens: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}
        self._match: int | None = None
        self.extend(tokens)

    def extend(self, tokens: Seq[int]) -> None:
        """More tokens of the text."""
        for token in tokens:
            self.tokens.append(token)
            gram = tuple(self.tokens[-_GRAM:])
            self._match = self._ends.get(gram) if len(gram) == _GRAM else None
            self._ends[gram] = len(self.tokens)

    def proposal(self, max_len: int) -> list[int]:
        """What followed the latest earlier place; nothing where there is none."""
        return [] if self._match is None else self.tokens[self._match : self._match + max_len]


class Drafting:
    """What speculation keeps of one sequence."""

    def __init__(self, prompt: Seq[int]) -> None:
        self.tracks: defaultdict[str, Track] = defaultdict(lambda: Track(0.95))
        self.drafter = ""
        self.proposal: Seq[int] = ()
        self.num_plain = 0  # tokens since the last draft
        self._prompt = prompt
        self._num_seen = 0

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self._prompt)

    def look_up(self, output: Seq[int], max_len: int) -> list[int]:
        """What followed an earlier place like the end of this output."""
        self._lookup.extend(output[self._num_seen :])
        self._num_seen = len(output)
        return self._lookup.proposal(max_len)


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
        self._costs = Costs(passes, 1)

    # Before the step.

    def begin(self, running: Seq[Sequence]) -> None:
        """A step of these begins: what was known of others is dropped."""
        numbers = {sequence.number for sequence in running}
        self._known = {n: known for n, known in self._known.items() if n in numbers}
        num_rows = sum(bool(sequence.output) for sequence in running)
        self._costs = Costs(self.passes, max(1, num_rows))

    def prepare(self, sequence: Sequence) -> None:
        """Set its ``draft_len``."""
        wanted = sequence.request.sampling.speculation
        most = min(MAX_DRAFT, sequence.num_left - 1)
        is_plain = wanted in ("off", 0) or most < 1 or not sequence.output or sequence.is_scoring
        sequence.draft_len = 0 if is_plain else self._draft_len(sequence, wanted, most)

    def _draft_len(self, sequence: Sequence, wanted: int | str, most: int) -> int:
        known = self._known.setdefault(sequence.number, Drafting(sequence.request.prompts[BASE]))
        free = self._free(sequence, known, most)
        weights = sequence.weights
        tuned = max(self.drafters, key=lambda role: weights.get(role, 0.0), default=BASE)
        if isinstance(wanted, int):
            is_free = weights.get(tuned, 0.0) <= 0 or tuned == BASE
            known.drafter = LOOKUP if is_free else tuned
            known.proposal = free.get(LOOKUP, [])[:wanted] if is_free else ()
            return len(known.proposal) if is_free else min(wanted, most)
        # Where the sizes are swapped, the base is the one that drafts.
        roles = [role for role in dict.fromkeys((tuned, BASE)) if weights.get(role, 0.0) > 0]
        return self._best(known, free, roles, most, self._costs.of(sequence.roles))

    def _free(self, sequence: Sequence, known: Drafting, most: int) -> dict[str, list[int]]:
        """What can be proposed without a pass."""
        found: dict[str, list[int]] = {}
        if sequence.grammar is not None:
            found[GRAMMAR] = sequence.grammar.forced()[:most]
        if self.has_lookup:
            found[LOOKUP] = known.look_up(sequence.output, most)
        return {drafter: tokens for drafter, tokens in found.items() if tokens}

    def _best(
        self,
        known: Drafting,
        free: Mapping[str, list[int]],
        roles: Seq[str],
        most: int,
        costs: Costs,
    ) -> int:
        """The drafter and the length with the most tokens a second; 0 where none pays."""
        if not costs.are_known:
            return 0
        best, best_len = 1 / costs.checking(0), 0
        for drafter in [*free, *roles]:
            limit = len(free[drafter]) if drafter in free else most
            chance = known.tracks[drafter].chance(self._priors[drafter].chance(0.8))
            expected, kept = 1.0, 1.0
            for length in range(1, limit + 1):
                kept *= chance
                expected += kept
                cost = (
                    costs.checking(length) if drafter in free else costs.drafting(drafter, length)
                )
                if expected / cost > best:
                    best, best_len = expected / cost, length
                    known.drafter, known.proposal = drafter, free.get(drafter, ())[:length]
        if not best_len and roles and known.num_plain >= _RETRY:
            known.drafter, known.proposal = roles[0], ()
            return min(_RETRY_LEN, most)
        return best_len

    # In the step.

    def draft(self, rows: Seq[Row], running: Seq[Sequence]) -> list[Row]:
        """The rows with their drafts."""
        out = list(rows)
        writers: dict[str, list[int]] = {}
        for i, row in enumerate(rows):
            if len(row.blends) > row.num_logits:
                known = self._known[row.sequence.number]
                if known.proposal:
                    out[i] = _with(row, Draft(tokens=known.proposal, drafter=known.drafter))
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

    def settle(self, row: Row, num_chosen: int) -> None:
        """``num_chosen`` tokens came of the row: note what of its draft was kept."""
        known, draft = self._known.get(row.sequence.number), row.draft
        if known is None:
            return
        known.num_plain = 0 if draft is not None else known.num_plain + num_chosen
        if draft is not None:
            chosen = row.sequence.output[len(row.sequence.output) - num_chosen :]
            num_kept = sum(a == b for a, b in zip(chosen, draft.tokens, strict=False))
            was_refused = num_kept < min(num_chosen, len(draft.tokens))
            for track in (known.tracks[draft.drafter], self._priors[draft.drafter]):
                track.note(num_kept, was_refused=was_refused)
            self.passes.credit(row.sequence, draft.drafter, len(draft.tokens), num_kept)


class Costs:
    """What a step of these roles costs, in seconds, by the length of its drafts."""

    def __init__(self, passes: Passes, num_rows: int) -> None:
        self._passes = passes
        self._num_rows = num_rows
        self._found: dict[tuple[str, int], float] = {}
        self._roles: Collection[str] = passes.runners

    def of(self, roles: Collection[str]) -> Costs:
        """The same where only these roles pass."""
        found = copy(self)
        found._roles = roles
        return found

    @property
    def are_known(self) -> bool:
        """Whether every role was timed."""
        return all(self._passes.paces[role].seconds(self._num_rows) for role in self._roles)

    def checking(self, length: int) -> float:
        """Every role passes once over the last token and the draft."""
        return sum(self._pass(role, length + 1) for role in self._roles)

    def drafting(self, drafter: str, length: int) -> float:
        """The drafter passes once for each token, the others check."""
        others = sum(self._pass(role, length + 1) for role in self._roles if role != drafter)
        return others + (length + 1) * self._pass(drafter, 1)

    def _pass(self, role: str, width: int) -> float:
        key = role, width
        if key not in self._found:
            seconds = self._passes.paces[role].seconds(width * self._num_rows)
            self._found[key] = max(seconds or 0.0, 1e-9)
        return self._found[key]


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
        log_probs = log_probabilities(logits[:size])
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
