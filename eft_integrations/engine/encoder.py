"""Text ⇄ token ids, safe from any thread, with and without control tokens."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from eft_integrations.errors import InvalidRequest


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"the text holds half of a character ({text[error.start]!r} at {error.start}), which "
            f"no tokenizer can read; decode it with errors='replace'"
        ) from error


class Encoder:
    """One tokenizer behind one lock: fast tokenizers refuse to be used from two threads at once."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = copy.deepcopy(tokenizer)
        self._lock = threading.Lock()

    @cached_property
    def control(self) -> dict[str, int]:
        """Strings that the tokenizer reads as one control token → its id.

        Added tokens of white space or of one character are vocabulary, not control.
        """
        added = self._tokenizer.get_added_vocab()
        return {token: i for token, i in added.items() if len(token) > 1 and not token.isspace()}

    @cached_property
    def silent(self) -> dict[str, int]:
        """The control tokens that answers leave out."""
        return {t: i for t, i in self.control.items() if not self.decode([i], special=False)}

    def encode(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Token ids; control tokens in ``text`` count. ``special``: with the default BOS."""
        _refuse_surrogates(text)
        with self._lock:
            return tuple(self._tokenizer.encode(text, add_special_tokens=special, verbose=False))

    def encode_plain(self, text: str) -> tuple[int, ...]:
        """Token ids in which nothing is a control token, whatever ``text`` says."""
        _refuse_surrogates(text)
        with self._lock:
            ids = tuple(self._plain.encode(text, add_special_tokens=False, verbose=False))
        if not set(ids) & set(self.control.values()):
            return ids
        # Tokens that were added without being special match all the same: no half of one does.
        return self.encode_plain(text[:1]) + self.encode_plain(text[1:])

    def decode(self, ids: Sequence[int], *, special: bool) -> str:
        """The text of token ids; ``special``: with the special tokens that answers leave out."""
        with self._lock:
            text = self._tokenizer.decode(
                list(ids), skip_special_tokens=not special, clean_up_tokenization_spaces=False
            )
        return str(text)

    @cached_property
    def _plain(self) -> Any:
        """A copy, since the switch is state of the tokenizer and not of a call."""
        plain = copy.deepcopy(self._tokenizer)
        plain.split_special_tokens = True
        return plain
