"""The pre-training stream: seeded documents of all styles, packed into token ids.

Every training step has its own generator made from (seed, step). A build that resumes at step
1,000 therefore sees the same text as one that never stopped, with no state to store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tokenizers import Tokenizer

from eft_integrations.tiny.chatml import SEPARATOR
from eft_integrations.tiny.styles import STYLES

# The shortest document is a few tokens and the mean about a hundred, so one block of documents
# is encoded at a time until there are enough ids.
_BLOCK = 32


@dataclass(frozen=True)
class Document:
    """One text of the corpus and the style that wrote it."""

    style: str
    text: str


def documents(seed: int | str, asking: float = 1.0) -> Iterator[Document]:
    """An endless stream of documents, the same for the same seed.

    `asking` multiplies the share of every style that is not declarative.
    """
    rng = Random(f"eft-tiny/{seed}")
    names = list(STYLES)
    factors = [1.0 if STYLES[name].is_declarative else asking for name in names]
    weights = [STYLES[name].weight * f for name, f in zip(names, factors, strict=True)]
    while True:
        name = rng.choices(names, weights)[0]
        yield Document(name, STYLES[name].write(rng))


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that the family's tokenizer is known to have."""
    found = tokenizer.token_to_id(token)
    assert found is not None, f"the tokenizer lacks {token!r}"
    return int(found)


def packed_ids(
    tokenizer: Tokenizer, seed: int | str, num_ids: int, asking: float = 1.0
) -> list[int]:
    """The first `num_ids` ids of the stream: documents end to end, a separator after each."""
    stream = documents(seed, asking)
    separator = token_id(tokenizer, SEPARATOR)
    ids: list[int] = []
    while len(ids) < num_ids:
        texts = [next(stream).text for _ in range(_BLOCK)]
        for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
            ids += [*encoding.ids, separator]
    return ids[:num_ids]
