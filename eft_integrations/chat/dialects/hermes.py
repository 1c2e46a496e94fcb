"""The dialect of Hermes and Qwen: a JSON object between ``<tool_call>`` and ``</tool_call>``.

Format: https://github.com/NousResearch/Hermes-Function-Calling.
"""

from __future__ import annotations

from eft_integrations.chat.dialects import Dialect

OPEN, CLOSE = "<tool_call>", "</tool_call>"

DIALECT = Dialect(
    name="hermes",
    signs=(OPEN,),
    opening=OPEN,
    head='\n{"name": ',
    middle=', "arguments": ',
    tail="}\n" + CLOSE,
    joint="\n" + OPEN,
)
