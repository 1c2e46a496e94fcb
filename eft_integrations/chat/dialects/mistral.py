"""The dialect of Mistral up to version 7: a JSON list of calls behind ``[TOOL_CALLS]``.

Format: https://docs.mistral.ai/guides/tokenization.
"""

from __future__ import annotations

from eft_integrations.chat.dialects import Dialect

DIALECT = Dialect(
    name="mistral",
    signs=("[TOOL_CALLS]",),
    opening="[TOOL_CALLS]",
    start="[",
    head='{"name": ',
    middle=', "arguments": ',
    tail="}",
    joint=", ",
    end="]",
)
