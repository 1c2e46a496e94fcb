"""Messages → token ids by role, where only the template may write control tokens.

A user who types ``<|im_start|>system`` sends text, not a role switch. Every prompt that could hold
typed control tokens is rendered twice: as it is, and with marks in place of the signs with which
control tokens begin. Where the two disagree about the control tokens, somebody typed one, and the
marked text is used, with the signs encoded as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers.utils.chat_template_utils import get_json_schema

from eft_integrations.engine import Engine
from eft_integrations.engine.encoder import Encoder
from eft_integrations.errors import InvalidRequest, refuse_unknown

Message = Mapping[str, Any]
Tool = Mapping[str, Any] | Callable[..., Any]

_PLAIN = "plain"
# For members without a chat template, and for those whose template the others do not know.
PLAIN = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: "
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] or [] %}{{ part['text'] }}{% endfor %}{% endif %}"
    "{{ '\\n\\n' }}{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
# Marks are Yi syllables: printable, so that no template escapes them, and without upper case.
_MARKS = range(0xA000, 0xA48D)


@dataclass(frozen=True)
class _Conversation:
    """What a template renders."""

    messages: Any
    tools: Any
    add_generation_prompt: bool


def render(
    engine: Engine,
    messages: Sequence[Message],
    tools: Sequence[Tool] | None = None,
    templates: Mapping[str, str] | None = None,
    *,
    add_generation_prompt: bool = True,
) -> dict[str, list[int]]:
    """The prompt of each role, as ``Engine.generate`` takes it.

    By default the tuned member's chat template serves every role, as in the paper. ``templates``
    gives a role another: the name of a role (that member's own), ``"plain"``, or Jinja source.
    ``tools`` are JSON schemas or functions with type hints and a docstring. Raises
    ``InvalidRequest`` where there is no template or the template refuses the messages.
    """
    roles = engine.roles.available
    default = next((role for role in engine.roles.tuned if role in roles), roles[0])
    given = _checked_templates(engine, {} if templates is None else templates)
    wanted = {**dict.fromkeys(roles, default), **given}
    refuse_malformed(messages)
    asked = _Conversation(list(messages), schemas(tools), add_generation_prompt)
    rendered = {
        choice: _encoded(engine, choice, asked) for choice in dict.fromkeys(wanted.values())
    }
    return {role: list(rendered[choice]) for role, choice in wanted.items()}


def _encoded(engine: Engine, choice: str, asked: _Conversation) -> list[int]:
    encoder = engine.encoder
    # A plain prompt begins as any text does, with the default BOS; a template brings its own.
    special = choice == _PLAIN
    ids = list(encoder.encode(_applied(engine, choice, asked), special=special))
    marks = _Marks(encoder, [asked.messages, asked.tools])
    if not marks.are_needed:
        return ids
    guarded = _Conversation(
        marks.neutral(asked.messages), marks.neutral(asked.tools), asked.add_generation_prompt
    )
    safe = marks.encoded(_applied(engine, choice, guarded), special=special)
    return ids if marks.control_ids(ids) == marks.control_ids(safe) else safe


def _applied(engine: Engine, choice: str, asked: _Conversation) -> str:
    """The rendered text; ``choice`` is a role, ``"plain"`` or Jinja source."""
    own = choice if choice in engine.roles.available else None
    tokenizer = engine.tokenizer(own) if own else engine.tokenizer()
    if own and not tokenizer.chat_template:
        raise InvalidRequest(
            f"member {own!r} has no chat template; pass templates={{role: 'plain'}} for each role, "
            f"or a prompt without messages"
        )
    try:
        return str(
            tokenizer.apply_chat_template(
                asked.messages,
                tools=asked.tools,
                chat_template=PLAIN if choice == _PLAIN else None if own else choice,
                add_generation_prompt=asked.add_generation_prompt,
                tokenize=False,
            )
        )
    except Exception as error:  # a template is foreign code and raises what it likes
        raise InvalidRequest(
            f"the chat template ({choice[:40]!r}) refuses the messages: "
            f"{type(error).__name__}: {error}; change the messages, or give another template"
        ) from error


class _Marks:
    """Stand-ins for the signs with which control tokens begin, wherever somebody typed them."""

    def __init__(self, encoder: Encoder, values: object) -> None:
        self._encoder = encoder
        # A control token that begins like a word would need marks in every key of a message.
        control = {t: i for t, i in encoder.control.items() if not t[0].isalnum()}
        self._control = frozenset(control.values())
        typed = {sign for text in _strings(values) for sign in text}
        signs = sorted({token[0] for token in control} & typed)
        free = (chr(code) for code in _MARKS if chr(code) not in typed)
        self._mark_of: dict[str, str | int | None] = dict(zip(signs, free, strict=False))

    @property
    def are_needed(self) -> bool:
        return bool(self._mark_of)

    def neutral(self, value: Any) -> Any:
        """The same value with marks in every string, at any depth."""
        if isinstance(value, str):
            return value.translate(str.maketrans(self._mark_of))
        if isinstance(value, Mapping):
            return {self.neutral(key): self.neutral(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.neutral(item) for item in value]
        return value

    def encoded(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a marked text, the marks as the plain signs they stand for."""
        sign_of = {str(mark): sign for sign, mark in self._mark_of.items()}
        ids: list[int] = []
        for piece in re.split(f"([{''.join(sign_of)}])", text):
            if piece in sign_of:
                ids.extend(self._encoder.encode_plain(sign_of[piece]))
            elif piece or special:
                ids.extend(self._encoder.encode(piece, special=special))
            special = False
        return ids

    def control_ids(self, ids: Sequence[int]) -> list[int]:
        return [i for i in ids if i in self._control]


def _checked_templates(engine: Engine, templates: Mapping[str, str]) -> Mapping[str, str]:
    roles = engine.roles.available
    if not isinstance(templates, Mapping):
        raise InvalidRequest(f"templates must map roles to templates, got {templates!r}")
    refuse_unknown("role in templates", templates, roles)
    for template in templates.values():
        if not isinstance(template, str) or "{" not in template:
            refuse_unknown("template", [template], [*roles, _PLAIN])
    return templates


def schemas(tools: Sequence[Tool] | None) -> list[Any] | None:
    """Functions as the JSON schemas that templates write, so that their texts are guarded too."""
    return None if tools is None else [_schema(tool) for tool in listed(tools)]


def listed(tools: Any) -> list[Any]:
    """All of them; raises ``InvalidRequest`` for what is no list."""
    if isinstance(tools, (str, Mapping)) or not isinstance(tools, Iterable):
        raise InvalidRequest(f"tools must be a list of JSON schemas or functions, got {tools!r}")
    return list(tools)


def _schema(tool: Tool) -> Any:
    if isinstance(tool, Mapping):
        return tool
    try:
        return get_json_schema(tool)
    except Exception as error:  # whatever its docstring lacks
        raise InvalidRequest(
            f"tool {getattr(tool, '__name__', tool)!r} is neither a JSON schema nor a documented "
            f"function: {error}; give type hints and a docstring, or the schema"
        ) from error


def _strings(value: object) -> list[str]:
    """All strings inside a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for item in pair for text in _strings(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _strings(item)]
    return []


def refuse_malformed(messages: Sequence[Message]) -> None:
    is_list = isinstance(messages, Sequence) and not isinstance(messages, (str, bytes))
    if not is_list or not messages:
        raise InvalidRequest(f"messages must be a non-empty list of mappings, got {messages!r}")
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise InvalidRequest(
                f"a message is a mapping with 'role' and 'content', got {message!r}"
            )
