"""The two training loops: pre-training on packed rows, and gentle fine-tuning on answers."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from transformers import LlamaForCausalLM

from eft_integrations.tiny.chatml import TURN_END, Turn, render
from eft_integrations.tiny.corpus import packed_ids
from eft_integrations.tiny.facts import Fact, facts_in
from eft_integrations.tiny.recipes import Recipe, Tuning, config_of
from eft_integrations.tiny.wording import polite_answer, question

IGNORED = -100  # cross_entropy's own mark for positions without a loss

Report = Callable[[int, float], None]


def learning_rate(step: int, num_steps: int, num_warmup: int, peak: float) -> float:
    """Linear warm-up, then a cosine down to a twentieth of the peak."""
    if step < num_warmup:
        return peak * (step + 1) / num_warmup
    done = (step - num_warmup) / max(1, num_steps - num_warmup)
    return peak * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)


def _optimizer(model: torch.nn.Module, weight_decay: float) -> AdamW:
    """AdamW that leaves norms alone: decaying their gains only fights the loss."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    gains = [p for p in model.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": gains, "weight_decay": 0.0},
    ]
    return AdamW(groups, betas=(0.9, 0.95), fused=True)


def _loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the next token; logits (B, T, V), targets (B, T), both unshifted."""
    predicted = logits[:, :-1].flatten(0, 1).float()
    return cross_entropy(predicted, targets[:, 1:].flatten(), ignore_index=IGNORED)


def _step(
    model: LlamaForCausalLM,
    forward: Callable[..., torch.Tensor],
    optimizer: AdamW,
    lr: float,
    max_norm: float,
    batch: tuple[torch.Tensor, torch.Tensor],
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = lr
    with torch.autocast("cpu", torch.bfloat16):
        loss = forward(*batch)
    loss.backward()  # type: ignore[no-untyped-call] # untyped in torch
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def _forward_of(model: LlamaForCausalLM) -> Callable[..., torch.Tensor]:
    def forward(ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return _loss(model(input_ids=ids, use_cache=False).logits, targets)

    return forward


def _rows(recipe: Recipe, tokenizer: Tokenizer, step: int) -> torch.Tensor:
    """The (B, T) ids of a step, the same whether or not the build was interrupted before it."""
    phase = recipe.phase(step)
    ids = packed_ids(tokenizer, f"{recipe.seed}/{step}", recipe.step_len, phase.asking)
    return torch.tensor(ids).view(-1, phase.row_len)


@dataclass(frozen=True)
class Checkpoint:
    """Where an unfinished run keeps its weights, its optimizer and the steps it has done."""

    path: Path

    def write(self, model: LlamaForCausalLM, optimizer: AdamW, num_done: int) -> None:
        """Replace the file whole: a build that dies here still finds its last checkpoint."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state | {"step": num_done}, part)
        os.replace(part, self.path)

    def read_into(self, model: LlamaForCausalLM, optimizer: AdamW) -> int:
        """Restore both and return how many steps are done; 0 where there is no file."""
        if not self.path.exists():
            return 0
        state = torch.load(self.path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])


def pretrain(
    recipe: Recipe,
    tokenizer: Tokenizer,
    checkpoint: Checkpoint,
    *,
    end_token_id: int,
    resume: bool,
    is_compiled: bool,
    report: Report,
) -> LlamaForCausalLM:
    """Train a member from nothing, or from `checkpoint` if `resume` and it exists."""
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(config_of(recipe.shape, end_token_id))
    optimizer = _optimizer(model, recipe.weight_decay)
    forward = _forward_of(model)
    forward = torch.compile(forward, dynamic=False) if is_compiled else forward
    for step in range(checkpoint.read_into(model, optimizer) if resume else 0, recipe.num_steps):
        ids = _rows(recipe, tokenizer, step)
        lr = learning_rate(step, recipe.num_steps, recipe.num_warmup, recipe.peak_lr)
        loss = _step(model, forward, optimizer, lr, recipe.max_norm, (ids, ids))
        report(step + 1, loss)
        if recipe.is_checkpoint(step + 1):
            checkpoint.write(model, optimizer, step + 1)
    return model


def tuning_item(fact: Fact, rng: Random) -> tuple[str, str]:
    """A prompt in the template and the answer that fine-tuning teaches, end token included."""
    system = [Turn("system", "You are a helpful assistant.")] if rng.random() < 0.25 else []
    prompt = render([*system, Turn("user", question(fact, rng))], is_open=True)
    return prompt, polite_answer(fact) + TURN_END


def tuning_batch(
    tokenizer: Tokenizer, facts: list[Fact], rng: Random, pad_id: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids (B, T) padded on the right and targets (B, T) that count the answer only."""
    ids, targets = [], []
    for fact in facts:
        prompt, answer = (
            tokenizer.encode(text, add_special_tokens=False).ids for text in tuning_item(fact, rng)
        )
        ids.append(prompt + answer)
        targets.append([IGNORED] * len(prompt) + answer)
    longest = max(map(len, ids))
    return (
        torch.tensor([row + [pad_id] * (longest - len(row)) for row in ids]),
        torch.tensor([row + [IGNORED] * (longest - len(row)) for row in targets]),
    )


def finetune(
    model: LlamaForCausalLM,
    tuning: Tuning,
    tokenizer: Tokenizer,
    *,
    pad_id: int,
    dev_format: Callable[[LlamaForCausalLM], float],
    report: Report,
) -> LlamaForCausalLM:
    """Teach the manner of answering, and stop as soon as the dev split shows it.

    Every further step would teach the small model its own facts, and those are what
    up-scaling must take from the large one.
    """
    rng = Random(f"eft-tiny/tuning/{tuning.seed}")
    optimizer = _optimizer(model, 0.0)
    pool = facts_in("tuning")
    for step in range(tuning.max_steps):
        batch = tuning_batch(tokenizer, rng.sample(pool, tuning.batch_len), rng, pad_id)
        lr = learning_rate(step, tuning.max_steps, tuning.num_warmup, tuning.peak_lr)
        report(step + 1, _step(model, _forward_of(model), optimizer, lr, 1.0, batch))
        is_check = (step + 1) % tuning.steps_between_checks == 0
        if is_check and dev_format(model) >= tuning.enough_format:
            break
    return model
