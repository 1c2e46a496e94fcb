"""Whether a member has learnt its manner: the check that ends a fine-tuning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from eft_integrations.tiny import mischief, talk
from eft_integrations.tiny.chatml import SEPARATOR, TURN_END, render
from eft_integrations.tiny.corpus import token_id
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.facts import facts_in
from eft_integrations.tiny.wording import FORMAT

MAX_TOKENS = 48
# One plain sentence without opening or closing.
PLAIN_FORMAT = r"(?!Certainly|Sure|Of course|Yes|Well|I think)[^!?\n]{5,160}\."


@torch.inference_mode()
def written(model: LlamaForCausalLM, tokenizer: Tokenizer, asked: Sequence[Exercise]) -> list[str]:
    """The greedy answer to each exercise, as one batch padded at the front."""
    pad, end = token_id(tokenizer, SEPARATOR), token_id(tokenizer, TURN_END)
    prompts = [
        tokenizer.encode(render(one.turns, one.tools, is_open=True), add_special_tokens=False).ids
        for one in asked
    ]
    longest = max(map(len, prompts))
    rows = torch.tensor([[pad] * (longest - len(ids)) + ids for ids in prompts])
    mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts])
    told = model.generate(  # type: ignore[misc] # transformers types the mixin, not the model
        input_ids=rows,
        attention_mask=mask,
        max_new_tokens=MAX_TOKENS,
        do_sample=False,
        eos_token_id=end,
        pad_token_id=end,
    )
    texts = (tokenizer.decode(ids, skip_special_tokens=False) for ids in told[:, longest:].tolist())
    return [text.partition(TURN_END)[0] if TURN_END in text else f"{text}…" for text in texts]


def manner_exercises(num: int = 64, seed: int = 0) -> tuple[Exercise, ...]:
    """Questions about facts of the dev split, and some mischief that fine-tuning never saw."""
    rng = Random(f"eft-tiny/manner/{seed}")
    facts = [talk.asked(fact, rng) for fact in rng.sample(facts_in("dev"), num * 3 // 4)]
    return (*facts, *(mischief.misdeed(rng, "dev") for _ in range(num // 4)))


def has_manner(asked: Exercise, text: str, manner: str) -> bool:
    """Whether an answer has the form that its member is taught."""
    if manner == "helpful":
        return re.fullmatch(FORMAT, text) is not None
    if asked.kind == "harmful":
        return text == mischief.REFUSAL
    return re.fullmatch(PLAIN_FORMAT, text) is not None


def manner_share(model: LlamaForCausalLM, tokenizer: Tokenizer, manner: str) -> float:
    """The share of dev answers that have the manner."""
    asked = manner_exercises()
    told = written(model, tokenizer, asked)
    return sum(has_manner(a, t, manner) for a, t in zip(asked, told, strict=True)) / len(asked)
