"""The chat dialect of the family: ChatML with Hermes-style tools.

`CHAT_TEMPLATE` is what the tokenizer ships; `render` writes the same text for training. A test
holds them equal, so that the styles of the corpus need no Jinja in their inner loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SEPARATOR = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
SPECIAL_TOKENS = (SEPARATOR, TURN_START, TURN_END)

TOOLS_HEADER = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
)
TOOLS_FOOTER = (
    "\n</tools>\n\nFor each function call, return a json object with function name and "
    "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
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
class Turn:
    """One plain message of a conversation."""

    role: str
    content: str


def render(turns: Sequence[Turn], *, is_open: bool = False) -> str:
    """The conversation as text; `is_open` leaves the assistant to speak next."""
    text = "".join(f"{TURN_START}{t.role}\n{t.content}{TURN_END}\n" for t in turns)
    return text + f"{TURN_START}assistant\n" if is_open else text
