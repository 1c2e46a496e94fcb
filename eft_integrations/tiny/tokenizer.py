"""The family's tokenizer: byte-level BPE of 2,048 entries, shared by all members."""

from __future__ import annotations

import logging
import re
from itertools import islice
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from eft_integrations.tiny.chatml import (
    CHAT_TEMPLATE,
    SEPARATOR,
    SPECIAL_TOKENS,
    TOOLS_FOOTER,
    TOOLS_HEADER,
)
from eft_integrations.tiny.corpus import documents

VOCAB_SIZE = 2048
CONTEXT_LEN = 4096
NUM_DOCUMENTS = 16_000

# Prompts as applications write them, so that instructions cost fewer tokens than their bytes.
PROMPT_TEXT = (
    "Use the following pieces of context to answer the question at the end. If the context does "
    "not contain the answer, say that you do not know and do not make one up.",
    "Given the information below and no prior knowledge, answer the query. The information comes "
    "from several documents, which are separated by lines.",
    "You have access to the following tools. Call a tool when it is needed, with arguments that "
    "follow its schema, and otherwise answer the user directly.",
    "Return a JSON object that conforms to the schema. Do not write anything before or after it.",
    "Summarise the conversation between the human and the assistant in a few short sentences.",
    "Think step by step, and then write the final answer on a line of its own.",
    TOOLS_HEADER,
    TOOLS_FOOTER,
)
# Pieces that never take part in each other. What JSON repeats may become one token, a value begins
# and ends with its own letters, and a name is spelt alike behind a space, a quote or a bracket: so
# whatever is copied from a text into a call or a record consists of the same tokens there.
_BOILERPLATE = (
    '{"type": "function", "function": {"name": "',
    '", "description": "',
    '", "parameters": {',
    '"properties": {"',
    '"type": "object"',
    '{"type": "string"',
    '{"type": "integer"',
    '{"type": "number"',
    '{"type": "boolean"',
    ', "required": ["',
    '"required": ["',
    ', "description": "',
    ', "enum": ["',
    '"], "type": "object"',
    '{"name": "',
    '", "arguments": {"',
    '{"title": "',
    ', "type": "',
    "<tool_call>\n",
    "\n</tool_call>",
    "<tool_response>\n",
    "\n</tool_response>",
    '": "',
    '", "',
    '": ',
    '}, "',
    '{"',
    '"}',
    '"]',
    "}}",
)
_SPLIT = "|".join(
    (
        *(re.escape(piece) for piece in _BOILERPLATE),
        r" ?\p{Ll}+",
        r"\p{Lu}+\p{Ll}*",
        r"[\p{L}\p{M}]+",
        r"\p{N}",
        r"[^\s\p{L}\p{N}\"'{}\[\]]+",
        r"[\"'{}\[\]]",
        r"\s*[\r\n]+",
        r"\s",
    )
)
_log = logging.getLogger("eft_integrations")


def _untrained() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train_tokenizer(seed: int = 0) -> PreTrainedTokenizerFast:
    """Train on a sample of the corpus and on instructions in the manner of applications."""
    tokenizer = _untrained()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sample = [document.text for document in islice(documents(f"bpe/{seed}"), NUM_DOCUMENTS)]
    tokenizer.train_from_iterator([*sample, *PROMPT_TEXT * 200], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=SEPARATOR,
        pad_token=SEPARATOR,
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
        model_max_length=CONTEXT_LEN,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    _log.info("trained a tokenizer of %d entries", len(fast))
    return fast


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja into `folder`."""
    tokenizer.save_pretrained(folder)
