"""The chat dialect of the family: ChatML with tools in the manner of Hermes.

`CHAT_TEMPLATE` is what the tokenizer ships; `render` writes the same text for training. A test
holds them equal, so that the styles of the corpus need no Jinja in their inner loop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEPARATOR = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
SPECIAL_TOKENS = (SEPARATOR, TURN_START, TURN_END)

TOOLS_HEADER = "You may call these functions:\n<tools>"
TOOLS_FOOTER = (
    "\n</tools>\nWrite each call as JSON:\n<tool_call>\n"
    '{"name": function, "arguments": object}\n</tool_call>'
)

CHAT_TEMPLATE = (
    "{%- set has_system = messages and messages[0].role == 'system' %}\n"
    "{%- if tools %}\n"
    "{{- '<|im_start|>system\\n' }}\n"
    "{%- if has_system %}{{- messages[0].content + '\\n\\n' }}{%- endif %}\n"
    f"{{{{- {TOOLS_HEADER!r} }}}}\n"
    "{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}\n"
    f"{{{{- {TOOLS_FOOTER!r} }}}}\n"
    "{{- '<|im_end|>\\n' }}\n"
    "{%- elif has_system %}\n"
    "{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n"
    "{%- endif %}\n"
    "{%- for message in messages %}\n"
    "{%- if message.role == 'tool' %}\n"
    "{%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}\n"
    "{{- '<|im_start|>user' }}\n"
    "{%- endif %}\n"
    "{{- '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}\n"
    "{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}\n"
    "{{- '<|im_end|>\\n' }}\n"
    "{%- endif %}\n"
    "{%- elif message.role == 'assistant' and message.tool_calls %}\n"
    "{{- '<|im_start|>assistant' }}\n"
    "{%- if message.content %}{{- '\\n' + message.content }}{%- endif %}\n"
    "{%- for call in message.tool_calls %}\n"
    "{%- set function = call.function if call.function else call %}\n"
    "{{- '\\n<tool_call>\\n{\"name\": ' + (function.name | tojson) + ', \"arguments\": ' }}\n"
    "{%- if function.arguments is string %}{{- function.arguments }}\n"
    "{%- else %}{{- function.arguments | tojson }}{%- endif %}\n"
    "{{- '}\\n</tool_call>' }}\n"
    "{%- endfor %}\n"
    "{{- '<|im_end|>\\n' }}\n"
    "{%- elif not (loop.first and message.role == 'system') %}\n"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\n"
    "{%- endif %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


@dataclass(frozen=True)
class Call:
    """One call of a tool: its name, and arguments that JSON can hold."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def text(self) -> str:
        """As the dialect writes it."""
        body = f'{{"name": {_json(self.name)}, "arguments": {_json(self.arguments)}}}'
        return f"<tool_call>\n{body}\n</tool_call>"


@dataclass(frozen=True)
class Turn:
    """One message of a conversation; an assistant's may call tools behind its text."""

    role: str
    content: str
    calls: tuple[Call, ...] = ()

    @property
    def text(self) -> str:
        """What stands between the marks of the turn."""
        return "\n".join([*([self.content] if self.content else []), *(c.text for c in self.calls)])

    @property
    def message(self) -> dict[str, Any]:
        """The same as chat templates and question sets take it."""
        plain: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.calls:
            plain["tool_calls"] = [
                {"type": "function", "function": {"name": c.name, "arguments": dict(c.arguments)}}
                for c in self.calls
            ]
        return plain


def render(
    turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]] = (), *, is_open: bool = False
) -> str:
    """The conversation as text; `is_open` leaves the assistant to speak next."""
    rest = list(turns)
    system = rest.pop(0).content if rest and rest[0].role == "system" else ""
    head = [system] if system else []
    if tools:
        told = "".join(f"\n{_json(tool)}" for tool in tools)
        head.append(f"{TOOLS_HEADER}{told}{TOOLS_FOOTER}")
    text = _block("system", "\n\n".join(head)) if head else ""
    for number, turn in enumerate(rest):
        if turn.role == "tool":
            text += _result(turn, rest[number - 1 : number], rest[number + 1 : number + 2])
        else:
            text += _block(turn.role, turn.text)
    return text + f"{TURN_START}assistant\n" if is_open else text


def _block(role: str, content: str) -> str:
    return f"{TURN_START}{role}\n{content}{TURN_END}\n"


def _result(turn: Turn, before: Sequence[Turn], after: Sequence[Turn]) -> str:
    """Results in a row share one user turn."""
    opening = "" if before and before[0].role == "tool" else f"{TURN_START}user"
    closing = "" if after and after[0].role == "tool" else f"{TURN_END}\n"
    return f"{opening}\n<tool_response>\n{turn.content}\n</tool_response>{closing}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
