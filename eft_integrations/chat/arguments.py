"""Where the JSON object of a call ends, found as its text arrives."""

from __future__ import annotations

_CLOSER = {"{": "}", "[": "]"}


class Arguments:
    """Feed text, get back what belongs to the object."""

    def __init__(self) -> None:
        self._open: list[str] = []  # the brackets that are missing, innermost last
        self._is_in_string = False
        self._is_escaped = False
        self.is_done = False

    def push(self, text: str) -> str:
        """The part of ``text`` up to the end of the object."""
        for position, char in enumerate(text):
            self._read(char)
            if not self._open and not self._is_in_string:
                self.is_done = True
                return text[: position + 1]
        return text

    def _read(self, char: str) -> None:
        if self._is_in_string:
            self._is_in_string = self._is_escaped or char != '"'
            self._is_escaped = not self._is_escaped and char == "\\"
        elif char == '"':
            self._is_in_string = True
        elif char in _CLOSER:
            self._open.append(_CLOSER[char])
        elif self._open and char == self._open[-1]:
            self._open.pop()

    @property
    def mismatch(self) -> str:
        """Behind the text so far, this is no JSON, and no beginning of any."""
        string = ("\\" if self._is_escaped else "") + '"' if self._is_in_string else ""
        wrong = "}" if self._open and self._open[-1] == "]" else "]"
        return string + wrong
