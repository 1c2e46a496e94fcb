"""The pre-training stream: seeded documents of all styles, packed into rows of token ids.

Every training step has its own generator made from (seed, step). A build that resumes at step
1,000 therefore sees the same text as one that never stopped, with no state to store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from tokenizers import Tokenizer

from eft_integrations.errors import refuse_unknown
from eft_integrations.tiny.chatml import SEPARATOR
from eft_integrations.tiny.styles import STYLES

# Documents are encoded some at a time: the encoder is fastest that way.
_BLOCK = 32
# Rows from this length on also take what fills much of the context.
LONG_ROW = 4096
_LONG = "long_text_and_questions"


@dataclass(frozen=True)
class Document:
    """One text of the corpus and the style that wrote it."""

    style: str
    text: str


def documents(seed: int | str, **factors: float) -> Iterator[Document]:
    """An endless stream of documents, the same for the same seed.

    A factor multiplies the share of the style of that name. Raises ``UnknownOption`` for a name
    that no style has.
    """
    refuse_unknown("factor", factors, STYLES)
    rng = Random(f"eft-tiny/{seed}")
    names = list(STYLES)
    weights = [STYLES[name].weight * factors.get(name, 1.0) for name in names]
    while True:
        name = rng.choices(names, weights)[0]
        yield Document(name, STYLES[name].write(rng))


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that the family's tokenizer is known to have."""
    found = tokenizer.token_to_id(token)
    assert found is not None, f"the tokenizer lacks {token!r}"
    return int(found)


def _encoded(
    tokenizer: Tokenizer, seed: int | str, row_len: int, factors: Mapping[str, float]
) -> Iterator[list[int]]:
    """Documents that fit into a row, each with a separator behind it."""
    long = factors.get(_LONG, 8.0) if row_len >= LONG_ROW else 0.0
    stream = documents(seed, **{**factors, _LONG: long})
    separator = token_id(tokenizer, SEPARATOR)
    while True:
        texts = [next(stream).text for _ in range(_BLOCK)]
        for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
            if len(encoding.ids) < row_len:
                yield [*encoding.ids, separator]


def packed_rows(
    tokenizer: Tokenizer, seed: int | str, num_rows: int, row_len: int, **factors: float
) -> list[list[int]]:
    """Rows of ids: documents end to end, from the beginning of one; the last is cut.

    ``factors`` as :func:`documents` takes them.

    So nothing is ever read without what came before it in its own document.
    """
    stream = _encoded(tokenizer, seed, row_len, factors)
    rows = []
    for _ in range(num_rows):
        ids: list[int] = []
        while len(ids) < row_len:
            ids += next(stream)
        rows.append(ids[:row_len])
    return rows
