"""The dialect of Mistral from version 11 on: ``[TOOL_CALLS]name[ARGS]{…}`` for each call.

Format: https://docs.mistral.ai/guides/tokenization.
"""

from __future__ import annotations

from eft_integrations.chat.dialects import Dialect

DIALECT = Dialect(
    name="mistral_args",
    signs=("[ARGS]",),
    opening="[TOOL_CALLS]",
    head="",
    middle="[ARGS]",
    tail="",
    joint="[TOOL_CALLS]",
    quotes_names=False,
)
