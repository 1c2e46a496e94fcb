"""What is asked of the engine, one row a question. Knows nothing of the harness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from eft_integrations.errors import ContextOverflow
from eft_integrations.evaluation.harness.sampling import Writing

Row = TypeVar("Row", bound=Sized)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Pair:
    """A continuation to score after a context; ``key`` names the request in the harness's cache.

    As in the harness ``max_length`` tokens are read, so that context and continuation may have one
    more together. The context is cut from the left.
    """

    key: tuple[str, str] | None
    context: list[int]
    continuation: list[int]

    def __len__(self) -> int:
        return len(self.context) + len(self.continuation)

    def fitted(self, max_length: int) -> Pair:
        room = max_length + 1 - len(self.continuation)
        if room < 1:
            raise ContextOverflow(
                f"a continuation of {len(self.continuation)} tokens exceeds max_length "
                f"{max_length}; raise max_length, or leave out the document"
            )
        return replace(self, context=self.context[-room:])


@dataclass(frozen=True)
class Text:
    """A text to write after a prompt, which is cut from the left to leave room for it."""

    args: tuple[str, Mapping[str, Any]]
    prompt: list[int]
    writing: Writing

    def __len__(self) -> int:
        return len(self.prompt)

    def fitted(self, max_length: int) -> Text:
        num_tokens = self.writing.sampling.max_tokens or max_length
        room = max_length - num_tokens
        if room < 1:
            raise ContextOverflow(
                f"max_gen_toks={num_tokens} leaves no room for a prompt in max_length "
                f"{max_length}; lower it: --gen_kwargs max_gen_toks={max_length // 2}"
            )
        return replace(self, prompt=self.prompt[-room:])

    def seeded(self, seed: int) -> Text:
        sampling = replace(self.writing.sampling, seed=seed)
        return replace(self, writing=replace(self.writing, sampling=sampling))


def in_batches(
    rows: Sequence[Row],
    answers: Callable[[list[Row]], list[Answer]],
    *,
    size: int,
) -> Iterator[list[tuple[int, Answer]]]:
    """The answers with the numbers of their rows, batch by batch.

    The longest rows come first, as in the harness: what does not fit fails at once, and the
    progress bar promises too little rather than too much.
    """
    order = sorted(range(len(rows)), key=lambda number: -len(rows[number]))
    for start in range(0, len(order), size):
        numbers = order[start : start + size]
        batch = answers([rows[number] for number in numbers])
        yield list(zip(numbers, batch, strict=True))
