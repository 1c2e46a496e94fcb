"""Token ids → text, piece by piece. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[list[int]], str]

# Enough of the prompt that a first token knows whether a space precedes it.
_TAIL = 4
_REPLACEMENT = "\ufffd"


class Detokenizer:
    """Incremental decoding: half a character waits for its other half.

    The text of a token is the difference between decoding a few tokens with and without it, since
    decoders look at neighbours (spaces, bytes of one character).
    """

    def __init__(self, decode: Decode, prompt: Sequence[int]) -> None:
        self.decode = decode
        self.window = list(prompt[-_TAIL:])
        self.num_shown = len(self.window)

    def push(self, token_id: int) -> str:
        """The text that this token completes; empty while a character is incomplete."""
        self.window.append(token_id)
        text = self._new_text()
        if text.endswith(_REPLACEMENT):
            return ""
        self.window = self.window[-_TAIL:] if self.num_shown < len(self.window) else self.window
        self.num_shown = len(self.window)
        return text

    def flush(self) -> str:
        """What is left, an incomplete character as U+FFFD."""
        text = self._new_text()
        self.num_shown = len(self.window)
        return text

    def _new_text(self) -> str:
        before = self.decode(self.window[: self.num_shown])
        return self.decode(self.window)[len(before) :]
