"""The public engine: members in, up-scaled text out."""

from __future__ import annotations

import asyncio
import logging
import queue
import weakref
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Self, Unpack, overload

from eft_integrations.engine.assemble import Assembly, assemble
from eft_integrations.engine.config import EngineConfig, MemberConfig
from eft_integrations.engine.detokenize import Detokenizer
from eft_integrations.engine.encoder import Encoder
from eft_integrations.engine.prepare import Prompt, PromptBatch, is_batch
from eft_integrations.engine.sequence import Item, Sequence, Sink
from eft_integrations.engine.stream import AsyncStream, Gathering, Mailbox, Stream
from eft_integrations.engine.worker import Worker, apart
from eft_integrations.errors import InvalidRequest, refuse_unknown
from eft_integrations.mixture import BASE, Mixture, Roles, resolve
from eft_integrations.options import SCORE_KEYS, GenerateOptions, MixtureOptions, parse
from eft_integrations.request import Generation, MemberStats, Request, Score

logger = logging.getLogger("eft_integrations")

Continuation = str | list[int] | tuple[int, ...]
MemberLike = str | Path | MemberConfig | Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class EngineStats:
    """A snapshot: requests, counters since the start, bytes of the caches."""

    num_running: int
    num_waiting: int
    num_steps: int
    num_tokens: int
    kv_bytes: int
    kv_limit: int
    members: Mapping[str, MemberStats]


class Engine:
    """An up-scaled model: ``log π = log π_base + Σ alpha_i (log π_tuned_i − log π_reference_i)``.

    Build it with :meth:`from_pretrained` or :meth:`tiny`. All methods may be called from any
    thread; one thread of the engine's own runs the models. Coefficients are per request.
    """

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._prepare = assembly.preparer
        self._worker = Worker(assembly.core, max_queue=assembly.config.max_queue)
        # Also at interpreter exit: a thread inside torch must not outlive it.
        self._finalizer = weakref.finalize(self, self._worker.close)

    @classmethod
    def from_pretrained(
        cls,
        *,
        base: MemberLike | None = None,
        tuned: MemberLike | Mapping[str, MemberLike] | None = None,
        reference: MemberLike | Mapping[str, MemberLike] | None = None,
        dtype: str = "auto",
        device: str = "auto",
        mixture: Mixture | None = None,
        max_slots: int = 16,
        max_context: int | None = None,
        kv_memory: int | None = None,
        max_queue: int = 256,
        prefill_chunk: int = 512,
        prefix_memory: int | None = None,
        lookup: bool = True,
        **unknown: object,
    ) -> Self:
        """Load the members and start.

        ``base`` is the large pre-trained model, ``tuned`` the small fine-tuned one (or several by
        name), ``reference`` the small one before fine-tuning (one for all, or a mapping with the
        same keys). Each is a folder, a hub id or a :class:`MemberConfig`. ``kv_memory`` in bytes.
        Raises ``LoadError``, ``VocabularyMismatch``, ``InvalidRequest``, ``UnknownOption``.
        """
        config = EngineConfig.of(
            base=base,
            tuned=tuned,
            reference=reference,
            dtype=dtype,
            device=device,
            mixture=mixture,
            max_slots=max_slots,
            max_context=max_context,
            kv_memory=kv_memory,
            max_queue=max_queue,
            prefill_chunk=prefill_chunk,
            prefix_memory=prefix_memory,
            lookup=lookup,
            **unknown,
        )
        return cls.open(config)

    @classmethod
    def open(cls, config: EngineConfig) -> Self:
        """Load the members of a config and start; raises what :meth:`from_pretrained` raises."""
        return cls(apart(partial(assemble, config)))

    @classmethod
    def tiny(cls, *, tuned: str | Seq[str] = "helpful", **settings: Any) -> Self:
        """The embedded demonstration family, in float32; takes the settings of from_pretrained.

        ``tuned`` is ``"helpful"`` (its role is then plainly ``tuned``), ``"harmless"``, or several
        names, which become the roles: ``Engine.tiny(tuned=("helpful", "harmless"))``.
        """
        from eft_integrations import tiny

        logger.warning("using the embedded demonstration family: it shows the effect, no more")
        return cls.from_pretrained(**{**tiny.trio(tuned), "dtype": "float32", **settings})

    @overload
    def generate(self, prompt: Prompt, **options: Unpack[GenerateOptions]) -> Generation: ...
    @overload
    def generate(
        self, prompt: PromptBatch, **options: Unpack[GenerateOptions]
    ) -> list[Generation]: ...
    def generate(
        self, prompt: Any, **options: Unpack[GenerateOptions]
    ) -> Generation | list[Generation]:
        """Write one text, or the texts of a list of prompts in order, as one batch.

        The options are those of README's table; any of a batch may be a :class:`PerRow`.
        Raises the errors of ``eft_integrations.errors``.
        """
        rows = self._requests(prompt, options)
        is_single = not is_batch(prompt)
        results = self._gather(rows, is_single=is_single).generations()
        return results[0] if is_single else results

    @overload
    async def agenerate(self, prompt: Prompt, **options: Unpack[GenerateOptions]) -> Generation: ...
    @overload
    async def agenerate(
        self, prompt: PromptBatch, **options: Unpack[GenerateOptions]
    ) -> list[Generation]: ...
    async def agenerate(
        self, prompt: Any, **options: Unpack[GenerateOptions]
    ) -> Generation | list[Generation]:
        """The twin of :meth:`generate`; never blocks the event loop."""
        rows = await asyncio.to_thread(self._requests, prompt, options)
        is_single = not is_batch(prompt)
        results = (await self._agather(rows, is_single=is_single)).generations()
        return results[0] if is_single else results

    def stream(
        self, prompt: Prompt, *, waits: bool = False, **options: Unpack[GenerateOptions]
    ) -> Stream:
        """Submit at once; the answer as it is written. ``waits``: for room, as a batch does."""
        return Stream(self, self._starter(prompt, options, waits=waits))

    def astream(
        self, prompt: Prompt, *, waits: bool = False, **options: Unpack[GenerateOptions]
    ) -> AsyncStream:
        """The twin of :meth:`stream`, for ``async with`` and then ``async for``."""
        return AsyncStream(self, partial(self._starter, prompt, options, waits=waits))

    @overload
    def score(
        self, prompt: Prompt, continuation: Continuation, **mixture: Unpack[MixtureOptions]
    ) -> Score: ...
    @overload
    def score(
        self,
        prompt: PromptBatch,
        continuation: Seq[Continuation],
        **mixture: Unpack[MixtureOptions],
    ) -> list[Score]: ...
    def score(
        self, prompt: Any, continuation: Any, **mixture: Unpack[MixtureOptions]
    ) -> Score | list[Score]:
        """Log-probabilities of a continuation, in one pass: one :class:`Score`, or a list.

        Strings are encoded apart from each other, the continuation without special tokens.
        """
        rows = self._scorings(prompt, continuation, mixture)
        is_single = not is_batch(prompt)
        scores = self._gather(rows, is_single=is_single).scores()
        return scores[0] if is_single else scores

    @overload
    async def ascore(
        self, prompt: Prompt, continuation: Continuation, **mixture: Unpack[MixtureOptions]
    ) -> Score: ...
    @overload
    async def ascore(
        self,
        prompt: PromptBatch,
        continuation: Seq[Continuation],
        **mixture: Unpack[MixtureOptions],
    ) -> list[Score]: ...
    async def ascore(
        self, prompt: Any, continuation: Any, **mixture: Unpack[MixtureOptions]
    ) -> Score | list[Score]:
        """The twin of :meth:`score`."""
        rows = await asyncio.to_thread(self._scorings, prompt, continuation, mixture)
        is_single = not is_batch(prompt)
        scores = (await self._agather(rows, is_single=is_single)).scores()
        return scores[0] if is_single else scores

    @property
    def roles(self) -> Roles:
        return self._assembly.config.roles

    @property
    def config(self) -> EngineConfig:
        """The settings that it was opened with."""
        return self._assembly.config

    @property
    def is_closed(self) -> bool:
        return not self._finalizer.alive

    @property
    def mixture(self) -> Mixture:
        """The default of requests that name none."""
        return self._prepare.default

    @property
    def context_len(self) -> int:
        """Tokens of prompt and answer that the shortest member holds."""
        return self._prepare.context_len

    @property
    def vocab_size(self) -> int:
        """Number of ids that mean the same token in every member."""
        return self._prepare.size

    @property
    def end_ids(self) -> frozenset[int]:
        """Ids that end a text, of all members."""
        return self._assembly.end_ids

    @property
    def encoder(self) -> Encoder:
        """Text to the members' token ids, from any thread."""
        return self._prepare.encoder

    def tokenizer(self, role: str = BASE) -> Any:
        """The tokenizer of a role, with its chat template."""
        refuse_unknown("role", [role], self._assembly.tokenizers)
        return self._assembly.tokenizers[role]

    def stats(self) -> EngineStats:
        """What runs, what waits, what was done. Raises ``EngineClosed`` after ``close``."""
        self._worker.refuse_if_closed()
        core = self._assembly.core
        return EngineStats(
            num_running=len(core.scheduler.running),
            num_waiting=self._worker.num_waiting,
            num_steps=core.num_steps,
            num_tokens=core.num_tokens,
            kv_bytes=core.passes.num_bytes,
            kv_limit=self._assembly.kv_limit,
            members=dict(core.passes.totals),
        )

    def close(self) -> None:
        """Fail what is open with ``EngineClosed``, stop the thread and free the caches."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # For streams.

    def cancel(self, sequences: Seq[Sequence]) -> None:
        self._worker.cancel(sequences)

    def refuse_fork(self) -> None:
        """Raise ``EngineClosed`` in a forked child, where no event will ever come."""
        self._worker.refuse_fork()

    def set_mixture(self, sequence: Sequence, keywords: Mapping[str, object]) -> int:
        self._worker.refuse_if_closed()
        if not keywords:
            raise InvalidRequest("set was called without a mixture; give alpha, beta or weights")
        mixture = self._prepare.mixture(keywords)
        return sequence.set_blend(mixture, resolve(mixture, self.roles))

    # Prompts and options → requests → sequences.

    def _requests(self, prompt: Any, options: Mapping[str, object]) -> list[list[Request]]:
        self._worker.refuse_if_closed()
        if is_batch(prompt):
            return self._prepare.batch(prompt, options)
        return [self._prepare.requests(prompt, parse(options))]

    def _scorings(
        self, prompt: Any, continuation: Any, mixture: Mapping[str, object]
    ) -> list[list[Request]]:
        self._worker.refuse_if_closed()
        if is_batch(prompt):
            scorings = self._prepare.scoring_batch(prompt, continuation, mixture)
            return [[request] for request in scorings]
        return [[self._prepare.scoring(prompt, continuation, parse(mixture, SCORE_KEYS))]]

    def _starter(
        self, prompt: Any, options: Mapping[str, object], *, waits: bool
    ) -> Callable[[Callable[[Item], None]], Sequence]:
        """Everything that may be refused is checked here; the result submits."""
        if is_batch(prompt):
            raise InvalidRequest("stream takes one prompt, got a list; open one stream a prompt")
        requests = self._requests(prompt, options)[0]
        if len(requests) > 1:
            raise InvalidRequest(
                f"stream writes one text, got n={len(requests)}; use generate for several choices"
            )
        grammar = self._grammar(requests[0])

        def start(sink: Callable[[Item], None]) -> Sequence:
            sequence = self._sequence(requests[0], grammar, sink)
            self._submit([sequence], waits=waits)
            return sequence

        return start

    def _gathering(
        self, rows: Seq[Seq[Request]], post: Callable[[tuple[int, Item]], None]
    ) -> Gathering:
        """The sequences of a batch; each posts its items under its number."""
        numbers = count()
        return Gathering(
            [
                [
                    self._sequence(r, self._grammar(r), partial(_post, post, next(numbers)))
                    for r in row
                ]
                for row in rows
            ]
        )

    def _submit(self, sequences: Seq[Sequence], *, waits: bool) -> None:
        """A full queue refuses a request that does not wait for room; choices always wait."""
        if waits or len(sequences) > 1:
            self._worker.submit_batch(sequences)
        else:
            self._worker.submit(sequences[0])

    def _gather(self, rows: Seq[Seq[Request]], *, is_single: bool) -> Gathering:
        letters: queue.SimpleQueue[tuple[int, Item]] = queue.SimpleQueue()
        gathering = self._gathering(rows, letters.put)
        self._submit(gathering.sequences, waits=not is_single)
        try:
            while not gathering.is_done:
                gathering.take(*letters.get())
        finally:
            self._worker.cancel(gathering.sequences)
        return gathering

    async def _agather(self, rows: Seq[Seq[Request]], *, is_single: bool) -> Gathering:
        letters: asyncio.Queue[tuple[int, Item]] = asyncio.Queue()
        post = Mailbox(letters).post
        gathering = await asyncio.to_thread(self._gathering, rows, post)
        self._submit(gathering.sequences, waits=not is_single)
        try:
            while not gathering.is_done:
                gathering.take(*(await letters.get()))
        finally:
            self._worker.cancel(gathering.sequences)
        return gathering

    def _grammar(self, request: Request) -> Any:
        if request.constraint is None:
            return None
        return self._assembly.grammars.compile(request.constraint)

    def _sequence(self, request: Request, grammar: Any, sink: Sink) -> Sequence:
        return Sequence(
            request,
            sink=sink,
            detokenizer=Detokenizer(self._assembly.decode, request.prompts[BASE]),
            grammar=grammar,
        )


def _post(post: Callable[[tuple[int, Item]], None], number: int, item: Item) -> None:
    post((number, item))
