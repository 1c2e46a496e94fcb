"""How well a mixture answers: facts and format, by a plain batched greedy loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from eft_integrations.tiny import Question
from eft_integrations.tiny.chatml import TURN_END, Turn, render
from eft_integrations.tiny.corpus import token_id
from eft_integrations.tiny.facts import Fact, contains
from eft_integrations.tiny.wording import format_is_right, question, question_apart

MAX_TOKENS = 64


@dataclass(frozen=True)
class Term:
    """One member of a mixture and its coefficient."""

    model: LlamaForCausalLM
    weight: float


@dataclass(frozen=True)
class Score:
    """Shares of right facts and right formats over `num_items` answers."""

    fact: float
    form: float
    num_items: int

    def margin(self, share: float) -> float:
        """Half the width of the 95 % interval of a share (normal approximation)."""
        return 1.96 * sqrt(share * (1 - share) / self.num_items)


def upscaled(
    base: LlamaForCausalLM, tuned: LlamaForCausalLM, reference: LlamaForCausalLM, alpha: float
) -> tuple[Term, ...]:
    """log p = log base + alpha (log tuned - log reference), as weighted terms."""
    return (Term(base, 1.0), Term(tuned, alpha), Term(reference, -alpha))


def _mixed_logprobs(terms: Sequence[Term], ids: torch.Tensor) -> torch.Tensor:
    """(B, T) ids to unnormalised (B, V) log-probabilities of the next token."""
    total = torch.zeros(())
    for term in terms:
        logits = term.model(input_ids=ids, logits_to_keep=1).logits[:, -1]
        total = total + term.weight * logits.float().log_softmax(-1)
    return total


@torch.inference_mode()
def _complete(terms: Sequence[Term], ids: torch.Tensor, end_id: int) -> list[list[int]]:
    """Greedy continuations of prompts of one length, (B, T); without the end token.

    Every step computes the whole text again: short texts, and no cache that could be wrong.
    """
    rows: list[list[int]] = [[] for _ in ids]
    is_open = [True] * len(rows)
    for _ in range(MAX_TOKENS):
        chosen = _mixed_logprobs(terms, ids).argmax(-1)
        for number, token in enumerate(chosen.tolist()):
            is_open[number] = is_open[number] and token != end_id
            if is_open[number]:
                rows[number].append(token)
        if not any(is_open):
            break
        ids = torch.cat((ids, chosen[:, None]), dim=1)
    return rows


def answers(terms: Sequence[Term], tokenizer: Tokenizer, asked: Sequence[str]) -> list[str]:
    """The greedy answer to each question, batched over prompts of equal length."""
    groups: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
    for number, text in enumerate(asked):
        prompt = render([Turn("user", text)], is_open=True)
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        groups[len(ids)].append((number, ids))
    found = [""] * len(asked)
    for group in groups.values():
        rows = torch.tensor([ids for _, ids in group])
        continued = _complete(terms, rows, token_id(tokenizer, TURN_END))
        for (number, _), ids in zip(group, continued, strict=True):
            found[number] = tokenizer.decode(ids, skip_special_tokens=False)
    return found


def graded(told: Sequence[str], asked: Sequence[Question]) -> Score:
    """Facts count wherever the answer stands as whole words; format is the exact manner.

    An answer that never ends fails the format, since its closing is followed by more text.
    """
    facts = sum(contains(text, item.answer) for text, item in zip(told, asked, strict=True))
    forms = sum(format_is_right(text) for text in told)
    return Score(facts / len(asked), forms / len(asked), len(asked))


def score(terms: Sequence[Term], tokenizer: Tokenizer, asked: Sequence[Question]) -> Score:
    """Ask a mixture all questions and grade what it says."""
    return graded(answers(terms, tokenizer, [item.question for item in asked]), asked)


def questions_for(facts: Iterable[Fact], seed: int = 0) -> tuple[Question, ...]:
    """One question a fact, shuffled; every third in a wording that training never uses."""
    rng = Random(f"eft-tiny/questions/{seed}")
    shuffled = list(facts)
    rng.shuffle(shuffled)
    made = []
    for number, fact in enumerate(shuffled):
        is_apart = number % 3 == 2
        text = (question_apart if is_apart else question)(fact, rng)
        made.append(Question(text, fact.answer, fact.relation, is_apart))
    return tuple(made)
