"""The dialect of Llama 3.1 and later: the whole answer is one JSON object with "parameters".

Format: https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1/#json-based-tool-calling.
"""

from __future__ import annotations

from eft_integrations.chat.dialects import Dialect

DIALECT = Dialect(
    name="llama3",
    signs=("<|python_tag|>", '"parameters": dictionary of argument name'),
    opening="{",
    head='"name": ',
    middle=', "parameters": ',
    tail="}",
    is_leading=True,
)
