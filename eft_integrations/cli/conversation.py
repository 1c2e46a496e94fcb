"""The state of ``eft chat``: what was said, how answers are mixed, and the commands. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eft_integrations.cli import values
from eft_integrations.errors import refuse_unknown
from eft_integrations.mixture import Mixture, Roles, effective, resolve
from eft_integrations.options import parse

FORMS = ("alpha", "beta", "weights")
# What changes the text of one answer and can be typed.
KNOWN = frozenset({"alpha", "beta", "weights", "filter_top_p"}) | frozenset(
    {"temperature", "top_k", "top_p", "min_p", "seed", "stop", "max_tokens", "timeout"}
    | {"repetition_penalty", "presence_penalty", "frequency_penalty"}
    | {"json_schema", "regex", "choice", "grammar"}
)

HELP = {
    "/alpha": "/alpha 0.5      weight of tuned − reference (/alpha one=0.7 two=0.3 by name)",
    "/beta": "/beta 1.2       the amplified form instead",
    "/set": "/set top_p=0.9  options of the answers; top_p= puts the default back",
    "/reset": "/reset          forget the conversation",
    "/help": "/help           this list; a space before / sends the line",
    "/quit": "/quit           the end, as Ctrl-D or Ctrl-C; in an answer Ctrl-C stops it",
}


class Conversation:
    """Messages and options; commands change them, or raise and change nothing."""

    def __init__(self, roles: Roles, default: Mixture, options: Mapping[str, object]) -> None:
        self.messages: list[dict[str, str]] = []
        self.options: dict[str, object] = {}
        self.is_over = False
        self._roles = roles
        self._default = default
        self._update(options)

    def say(self, role: str, text: str) -> None:
        self.messages.append({"role": role, "content": text})

    @property
    def turns(self) -> list[int]:
        """Where each turn begins: the index of its question."""
        return [i for i, message in enumerate(self.messages) if message["role"] == "user"]

    def obey(self, line: str) -> list[str]:
        """Carry out a line that begins with "/"; what there is to tell."""
        name, *words = line.split()
        refuse_unknown("command", [name], HELP)
        commands: dict[str, Callable[[list[str]], list[str]]] = {
            "/alpha": self._alpha,
            "/beta": self._beta,
            "/set": self._set,
            "/reset": self._reset,
            "/help": lambda _: list(HELP.values()),
            "/quit": self._quit,
        }
        return commands[name](words)

    def _alpha(self, words: list[str]) -> list[str]:
        return self._update({"alpha": values.alphas(words)} if words else {})

    def _beta(self, words: list[str]) -> list[str]:
        return self._update({"beta": values.number("beta", words)} if words else {})

    def _set(self, words: list[str]) -> list[str]:
        return self._update(values.settings(words))

    def _reset(self, _words: list[str]) -> list[str]:
        self.messages.clear()
        return ["the conversation is forgotten"]

    def _quit(self, _words: list[str]) -> list[str]:
        self.is_over = True
        return []

    def _update(self, changes: Mapping[str, object]) -> list[str]:
        """Take the changes over if the engine would obey the whole; a new form replaces the old."""
        replaced = FORMS if any(changes.get(form) is not None for form in FORMS) else ()
        kept = {name: value for name, value in self.options.items() if name not in replaced}
        options = {name: value for name, value in {**kept, **changes}.items() if value is not None}
        mixture = effective(parse(options, KNOWN).mixture, self._default)
        resolve(mixture, self._roles)
        self.options = options
        form = {
            name: getattr(mixture, name) for name in FORMS if getattr(mixture, name) is not None
        }
        return [values.spelled({**form, **options})]
