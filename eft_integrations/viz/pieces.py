"""Token ids → the pieces of a text, and how a single token is shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from eft_integrations.engine.detokenize import Detokenizer

END_SIGN = "■"  # a control token: the end of a turn, most often
# No control pictures (␠ ␍): few fonts have them.
_SIGNS = {"\n": "↵", "\t": "⇥", " ": "␣"}
# They turn the order of all text around them, which a page or terminal would obey.
_TURNING = {*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}


class Reader:
    """Reads tokens with one tokenizer, as the engine does for its texts."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def pieces(self, prompt: Sequence[int], ids: Sequence[int], text: str) -> list[str]:
        """Each token's part of ``text``, which is what the engine made of ``ids``."""
        detokenizer = Detokenizer(self._decode, prompt)
        parts = [detokenizer.push(token_id) for token_id in ids]
        if parts:
            parts[-1] += detokenizer.flush()
        return list(_cut(parts, len(text)))

    def is_control(self, token_id: int) -> bool:
        """Whether the token has a name and no text."""
        return not self._decode([token_id]) and bool(self._name(token_id))

    def label(self, before: Sequence[int], token_id: int) -> str:
        """How the token is shown by itself behind others: never empty, nothing invisible."""
        detokenizer = Detokenizer(self._decode, before)
        text = detokenizer.push(token_id) + detokenizer.flush()
        return signs(text or self._name(token_id)) or f"#{token_id}"

    def _decode(self, ids: list[int]) -> str:
        return self._read(ids, skip_special_tokens=True)

    def _name(self, token_id: int) -> str:
        return self._read([token_id], skip_special_tokens=False)

    def _read(self, ids: list[int], *, skip_special_tokens: bool) -> str:
        return str(
            self._tokenizer.decode(
                ids,
                skip_special_tokens=skip_special_tokens,
                clean_up_tokenization_spaces=False,
            )
        )


def _cut(parts: Sequence[str], num_chars: int) -> Iterator[str]:
    """The parts as far as the text goes: a stop string is not in it."""
    for part in parts:
        yield part[:num_chars]
        num_chars -= min(num_chars, len(part))


def signs(text: str) -> str:
    """``text`` on one line, with a sign for spaces at its ends and for all control."""
    body = text.strip(" ")
    lead = len(text) - len(text.lstrip(" "))
    trail = len(text) - lead - len(body)
    inner = "".join(_SIGNS[char] if char in "\n\t" else _visible(char) for char in body)
    return _SIGNS[" "] * lead + inner + _SIGNS[" "] * trail


def shown(text: str) -> str:
    """``text`` with a sign for control characters, but for line breaks and tabs."""
    return "".join(map(_shown, text))


def _visible(char: str) -> str:
    """Alone, what joins or parts others cannot be seen either; between others it is text."""
    is_unseen = char != " " and unicodedata.category(char) in ("Cf", "Zs")
    return _code(char) if is_unseen else _shown(char)


def _shown(char: str) -> str:
    if char in "\n\t":
        return char
    is_odd = char in _TURNING or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
    return _code(char) if is_odd else char


def _code(char: str) -> str:
    return f"⟨U+{ord(char):04X}⟩"
