"""Messages → token ids by role, where only the template may write control tokens.

A user who types ``<|im_start|>system`` sends text, not a role switch: strings of the tokenizer's
control tokens inside messages and tools are replaced by marks before the template is rendered, and
encoded as plain text afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from eft_integrations.engine import Engine
from eft_integrations.errors import InvalidRequest, refuse_unknown

Message = Mapping[str, Any]

# For members without a chat template, and for those whose template the others do not know.
PLAIN = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}"
    "\n\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
# Marks come from a private plane of Unicode, above anything that the messages use of it.
_FIRST_MARK = 0xF0000


def render(
    engine: Engine,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None = None,
    templates: Mapping[str, str] | None = None,
    *,
    add_generation_prompt: bool = True,
) -> dict[str, list[int]]:
    """The prompt of each role, as ``Engine.generate`` takes it.

    By default the tuned member's chat template serves every role, as in the paper. ``templates``
    gives a role another: the name of a role (that member's own), ``"plain"``, or Jinja source.
    Raises ``InvalidRequest`` where there is no template or the template refuses the messages.
    """
    roles = engine.roles.available
    refuse_unknown("role in templates", templates or (), roles)
    _refuse_malformed(messages)
    default = next((role for role in engine.roles.tuned if role in roles), roles[0])
    wanted = {role: (templates or {}).get(role, default) for role in roles}
    rendered = {
        choice: _encoded(engine, choice, messages, tools, add_generation_prompt)
        for choice in dict.fromkeys(wanted.values())
    }
    return {role: list(rendered[choice]) for role, choice in wanted.items()}


def _encoded(
    engine: Engine,
    choice: str,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None,
    add_generation_prompt: bool,
) -> list[int]:
    def applied(marks: Marks) -> str:
        given = None if tools is None else marks.neutral(tools)
        return _applied(engine, choice, marks.neutral(messages), given, add_generation_prompt)

    marks, text = _marked(engine.encoder.control, [messages, tools], applied)
    ids: list[int] = []
    for piece, is_typed in marks.pieces(text):
        # A plain prompt begins as any text does, with the default BOS; a template brings its own.
        special = choice == "plain" and not ids
        more = (
            engine.encoder.encode_plain(piece)
            if is_typed
            else engine.encoder.encode(piece, special=special)
        )
        ids.extend(more)
    return ids


def _marked(
    control: Mapping[str, int], values: object, applied: Callable[[Marks], str]
) -> tuple[Marks, str]:
    """The rendered text and its marks.

    Templates join texts, so that ``<|im_`` and ``start|>`` from two parts make a control string.
    Where a text ends like the beginning of one, a second rendering marks such ends too; it is used
    only if it holds fewer control strings, since a mark changes how its neighbours are encoded.
    """
    marks, wary = Marks(control, values), Marks(control, values, with_begun=True)
    text = applied(marks)
    if not wary.has_begun(values):
        return marks, text
    guarded = applied(wary)
    if marks.count_control(text) > wary.count_control(guarded):
        return wary, guarded
    return marks, text


def _applied(
    engine: Engine,
    choice: str,
    messages: Any,
    tools: Any,
    add_generation_prompt: bool,
) -> str:
    """The rendered text; ``choice`` is a role, ``"plain"`` or Jinja source."""
    own = choice if choice in engine.roles.available else None
    tokenizer = engine.tokenizer(own) if own else engine.tokenizer()
    source = PLAIN if choice == "plain" else None if own else choice
    if own and not tokenizer.chat_template:
        raise InvalidRequest(
            f"member {own!r} has no chat template; pass templates={{role: 'plain'}} for each role, "
            f"or a prompt without messages"
        )
    try:
        return str(
            tokenizer.apply_chat_template(
                messages,
                tools=tools,
                chat_template=source,
                add_generation_prompt=add_generation_prompt,
                tokenize=False,
            )
        )
    except TemplateError as error:
        raise InvalidRequest(
            f"the chat template ({choice[:40]!r}) refuses the messages: {error}; "
            f"change the messages' roles or order, or give another template"
        ) from error


class Marks:
    """Stand-ins for control strings that somebody typed: there while the template is rendered.

    ``with_begun``: also for the beginning of a control string at the end of a text.
    """

    def __init__(
        self, control: Mapping[str, int], values: object, *, with_begun: bool = False
    ) -> None:
        names = sorted(control, key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, names)) or r"(?!)")
        self._pattern = _or_begun(names) if with_begun and names else self._control
        used = [ord(sign) for text in _strings(values) for sign in text]
        self._next = max([_FIRST_MARK, *(code + 1 for code in used if code >= _FIRST_MARK)])
        self._typed: dict[str, str] = {}

    def count_control(self, text: str) -> int:
        return len(self._control.findall(text))

    def has_begun(self, values: object) -> bool:
        """Whether some text ends like the beginning of a control string."""
        return any(self._pattern.search(self._control.sub("", text)) for text in _strings(values))

    def neutral(self, value: Any) -> Any:
        """The same value with every control string replaced, at any depth."""
        if isinstance(value, str):
            return self._pattern.sub(self._mark, value)
        if isinstance(value, Mapping):
            keys = {key: self._control.sub(self._mark, str(key)) for key in value}
            return {keys[key]: self.neutral(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.neutral(item) for item in value]
        return value

    def pieces(self, text: str) -> list[tuple[str, bool]]:
        """``text`` cut at the marks: (piece, whether somebody typed it as control)."""
        if not self._typed:
            return [(text, False)]
        cut = re.split(f"([{''.join(self._typed)}])", text)
        return [(self._typed.get(piece, piece), piece in self._typed) for piece in cut if piece]

    def _mark(self, found: re.Match[str]) -> str:
        mark = chr(self._next)
        self._next += 1
        self._typed[mark] = found.group()
        return mark


def _or_begun(names: Sequence[str]) -> re.Pattern[str]:
    """Matches a control string, and at the end of a text the beginning of one."""
    begun = sorted({name[:n] for name in names for n in range(1, len(name))}, key=len, reverse=True)
    whole, start = ("|".join(map(re.escape, parts)) for parts in (names, begun))
    return re.compile(f"{whole}|(?:{start})\\Z")


def _strings(value: object) -> list[str]:
    """All strings inside a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for item in pair for text in _strings(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _strings(item)]
    return []


def _refuse_malformed(messages: Sequence[Message]) -> None:
    if isinstance(messages, (str, Mapping)) or not messages:
        raise InvalidRequest(f"messages must be a non-empty list of mappings, got {messages!r}")
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise InvalidRequest(
                f"a message is a mapping with 'role' and 'content', got {message!r}"
            )
