"""An engine's answer, or a given one → its trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Unpack, cast

from eft_integrations import checks
from eft_integrations.engine.prepare import Prompt, is_batch
from eft_integrations.errors import InvalidRequest, refuse_unknown
from eft_integrations.mixture import BASE, Mixture, effective, resolve
from eft_integrations.options import (
    CONSTRAINT_KEYS,
    GENERATE_KEYS,
    SCORE_KEYS,
    GenerateOptions,
    parse,
)
from eft_integrations.request import Generation, Sampling, Score
from eft_integrations.viz.measure import COMMON, MIXTURE, NOBODY, shares
from eft_integrations.viz.pieces import Reader
from eft_integrations.viz.record import Alternative, TokenTrace, Trace

if TYPE_CHECKING:
    from eft_integrations.engine import Engine

NUM_ALTERNATIVES = 5
# One text at a time, and what is told of it is not a choice.
_WRITTEN_KEYS = GENERATE_KEYS - {"n", "logprobs", "contributions"}
_GIVEN_KEYS = SCORE_KEYS | {"top_logprobs"}
_CONSTRAINT_KEYS = (*CONSTRAINT_KEYS, "close_within_budget")

Answer = str | Sequence[int]


def trace(
    engine: Engine, prompt: Prompt, answer: Answer | None = None, **options: Unpack[GenerateOptions]
) -> Trace:
    """Who said each token of the answer that the engine writes; or who would have said ``answer``.

    Options are those of ``generate``; ``top_logprobs`` (5) is the number of alternatives. With an
    ``answer``, a text or token ids, only the mixture and ``top_logprobs`` remain. A text has no
    control tokens, whatever it says. Costs the writing, one pass a token for a given answer too,
    and one pass more that scores it. Raises what ``generate`` raises.
    """
    plan = _plan(engine, prompt, answer, options)
    generation = engine.generate(prompt, **plan.options)
    score = None
    if generation.token_ids:
        score = engine.score(prompt, generation.token_ids, mixture=plan.mixture)
    return _told(engine, prompt, plan, generation, score)


async def atrace(
    engine: Engine, prompt: Prompt, answer: Answer | None = None, **options: Unpack[GenerateOptions]
) -> Trace:
    """The twin of :func:`trace`."""
    plan = _plan(engine, prompt, answer, options)
    generation = await engine.agenerate(prompt, **plan.options)
    score = None
    if generation.token_ids:
        score = await engine.ascore(prompt, generation.token_ids, mixture=plan.mixture)
    return _told(engine, prompt, plan, generation, score)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is asked of the engine; ``given`` are the ids of a given answer."""

    mixture: Mixture
    options: GenerateOptions
    given: tuple[int, ...] | None


def _plan(engine: Engine, prompt: Prompt, answer: Answer | None, options: GenerateOptions) -> _Plan:
    """Everything that may be refused without a pass is refused here."""
    _refuse_names(engine.roles.tuned)
    if is_batch(prompt):
        raise InvalidRequest("trace takes one prompt, got a list; trace them one by one")
    given = None if answer is None else _ids(engine, answer)
    if given is not None:
        _refuse_writing(options)
    parsed = parse(options, _WRITTEN_KEYS)
    if parsed.sampling.n > 1:
        raise InvalidRequest(f"trace follows one text, got n={parsed.sampling.n}; leave n at 1")
    mixture = effective(parsed.mixture, engine.mixture)
    if given is None:
        constraint = {key: value for key, value in options.items() if key in _CONSTRAINT_KEYS}
        asked = {**constraint, "sampling": _sampling(engine, parsed.sampling, options)}
    else:
        sampling = Sampling(top_logprobs=parsed.sampling.top_logprobs, max_tokens=len(given))
        asked = {**_forced(given), "sampling": _sampling(engine, sampling, options)}
    return _Plan(
        mixture=mixture,
        options=cast("GenerateOptions", {**asked, "mixture": mixture, "contributions": True}),
        given=given,
    )


def _refuse_names(tuned: Sequence[str]) -> None:
    for name in tuned:
        if name in (COMMON, MIXTURE, NOBODY):
            raise InvalidRequest(
                f"a tuned member is called {name!r}, which is a speaker of its own here; "
                f"name the member anew"
            )


def _ids(engine: Engine, answer: Answer) -> tuple[int, ...]:
    if isinstance(answer, str):
        ids = engine.encoder.encode_plain(answer)
    else:
        ids = checks.token_ids("answer", answer)
    if not ids:
        raise InvalidRequest("the answer to trace has no tokens; give at least one")
    if max(ids) >= engine.vocab_size:
        raise InvalidRequest(
            f"token ids of an answer must be below {engine.vocab_size}, the vocabulary's size, "
            f"got {max(ids)}"
        )
    return ids


def _refuse_writing(options: Mapping[str, object]) -> None:
    refuse_unknown("option", options, _WRITTEN_KEYS)
    for name in options:
        if name not in _GIVEN_KEYS:
            raise InvalidRequest(
                f"{name} shapes an answer that is written, but this answer is given; leave it out"
            )


def _sampling(engine: Engine, sampling: Sampling, options: Mapping[str, object]) -> Sampling:
    """With alternatives, unless ``top_logprobs=0`` says that none are wanted."""
    wanted = sampling.top_logprobs
    if not wanted and "top_logprobs" not in options:
        wanted = min(NUM_ALTERNATIVES, engine.vocab_size)
    return replace(sampling, top_logprobs=wanted, logprobs=True)


def _forced(ids: Sequence[int]) -> dict[str, object]:
    """A grammar that allows these very ids: what is told of a token comes before the grammar."""
    tokens = " ".join(f"<[{token_id}]>" for token_id in ids)
    return {"grammar": f"start: {tokens}", "close_within_budget": False}


def _told(
    engine: Engine, prompt: Prompt, plan: _Plan, generation: Generation, score: Score | None
) -> Trace:
    ids = generation.token_ids
    if plan.given is not None and plan.given != ids:
        raise InvalidRequest(
            f"the answer goes on for {len(plan.given) - len(ids)} tokens behind its end token at "
            f"{len(ids) - 1}; cut it there"
        )
    coefficients = resolve(plan.mixture, engine.roles).coefficients
    # the engine reads texts with the first tuned member's tokenizer
    first = next((role for role in engine.roles.tuned if role in coefficients), BASE)
    reader = Reader(engine.tokenizer(first))
    reading = _Reading(reader, _base_ids(engine, prompt), generation, coefficients)
    return Trace(
        text=generation.text,
        tokens=() if score is None else tuple(reading.tokens(score, engine.roles.tuned)),
        mixture=plan.mixture,
        coefficients=coefficients,
        tuned=tuple(role for role in engine.roles.tuned if role in coefficients),
        finish_reason=generation.finish_reason,
        is_given=plan.given is not None,
    )


def _base_ids(engine: Engine, prompt: Prompt) -> tuple[int, ...]:
    """The prompt whose end the engine reads texts behind."""
    if isinstance(prompt, str):
        return engine.encoder.encode(prompt, special=True)
    return tuple(prompt[BASE] if isinstance(prompt, Mapping) else prompt)


@dataclass(frozen=True)
class _Reading:
    """Generation and score → tokens."""

    reader: Reader
    prompt: tuple[int, ...]
    generation: Generation
    coefficients: Mapping[str, float]

    def tokens(self, score: Score, tuned: Sequence[str]) -> Iterator[TokenTrace]:
        ids = self.generation.token_ids
        pieces = self.reader.pieces(self.prompt, ids, self.generation.text)
        contributions = self.generation.contributions or ()
        for i, (token_id, text, parts) in enumerate(zip(ids, pieces, contributions, strict=True)):
            by_role = {role: values[i] for role, values in score.by_member.items()}
            alone = {role: by_role[role] for role in (BASE, *tuned) if role in by_role}
            yield TokenTrace(
                index=i,
                token_id=token_id,
                text=text,
                label=self._label(i, token_id),
                is_control=self.reader.is_control(token_id),
                logprob=score.logprobs[i],
                by_role=by_role,
                contributions=parts,
                shares=shares(score.logprobs[i], alone, self.coefficients),
                alternatives=self._alternatives(i),
            )

    def _alternatives(self, index: int) -> tuple[Alternative, ...]:
        if self.generation.top_logprobs is None:
            return ()
        return tuple(
            Alternative(token_id=token_id, label=self._label(index, token_id), logprob=logprob)
            for token_id, logprob in self.generation.top_logprobs[index].items()
        )

    def _label(self, index: int, token_id: int) -> str:
        before = (*self.prompt, *self.generation.token_ids[:index])
        return self.reader.label(before, token_id)
