"""The two training loops: pre-training on packed rows, and gentle fine-tuning on answers."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from transformers import LlamaForCausalLM

from eft_integrations.errors import InvalidRequest
from eft_integrations.tiny.attention import NAME as PACKED
from eft_integrations.tiny.attention import documents_of
from eft_integrations.tiny.chatml import SEPARATOR, TURN_END, TURN_START, render
from eft_integrations.tiny.corpus import packed_rows, token_id
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.muon import Muon
from eft_integrations.tiny.recipes import Recipe, Tuning, config_of
from eft_integrations.tiny.tuning import tuning_exercise

# Where a CPU has no such instructions, bfloat16 is emulated and far slower than float32.
_HAS_BFLOAT16 = any(torch.cpu.get_capabilities().get(k) for k in ("avx512_bf16", "amx_bf16"))
IGNORED = -100  # cross_entropy's own mark for positions without a loss

_log = logging.getLogger("eft_integrations")

Report = Callable[[int, float], None]
Weights = Mapping[str, torch.Tensor]
# (ids (B, T), targets (B, T)) → a scalar
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Optimizers:
    """Muon for the matrices between embeddings; AdamW for the embeddings and the gains."""

    def __init__(
        self, model: LlamaForCausalLM, *, matrix_lr: float, vector_lr: float, weight_decay: float
    ) -> None:
        inner = {id(p) for p in model.model.layers.parameters() if p.ndim == 2}
        matrices = [p for p in model.parameters() if id(p) in inner]
        others = [p for p in model.parameters() if id(p) not in inner]
        self._all = {
            "muon": (
                Muon(
                    matrices,
                    lr=matrix_lr,
                    weight_decay=weight_decay,
                    dtype=torch.bfloat16 if _HAS_BFLOAT16 else torch.float32,
                ),
                matrix_lr,
            ),
            "adamw": (
                AdamW(others, lr=vector_lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
                vector_lr,
            ),
        }

    def step(self, share: float) -> None:
        """One step at this share of the peak rates; gradients are gone afterwards."""
        for optimizer, peak in self._all.values():
            for group in optimizer.param_groups:
                group["lr"] = peak * share
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {name: optimizer.state_dict() for name, (optimizer, _) in self._all.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, (optimizer, _) in self._all.items():
            optimizer.load_state_dict(state[name])


def _gradient(
    model: LlamaForCausalLM,
    loss_of: Loss,
    batch: tuple[torch.Tensor, torch.Tensor],
    max_norm: float,
) -> float:
    """Leave the clipped gradient of a batch in the model, and return its loss."""
    with torch.autocast("cpu", torch.bfloat16, enabled=_HAS_BFLOAT16):
        loss = loss_of(*batch)
    loss.backward()  # type: ignore[no-untyped-call] # untyped in torch
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    return float(loss.detach())


def _loss_of(model: LlamaForCausalLM, body: Callable[..., torch.Tensor]) -> Loss:
    """Mean cross-entropy of the targets (B, T); `body` gives the hidden states (B, T, hidden).

    Logits are made only where something is predicted: elsewhere they would cost a tenth of a step.
    """

    def loss(ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        states, following = body(ids)[:, :-1], targets[:, 1:]
        is_target = following != IGNORED
        logits = model.lm_head(states[is_target])
        return cross_entropy(logits.float(), following[is_target])

    return loss


def _tuning_loss(model: LlamaForCausalLM) -> Loss:
    """Of rows that hold one conversation each."""
    return _loss_of(
        model, lambda ids: model.model(input_ids=ids, use_cache=False).last_hidden_state
    )


def _packed_loss(model: LlamaForCausalLM, end_token_id: int, num_graphs: int) -> Loss:
    """Of rows that hold many documents, each of which reads itself alone.

    ``num_graphs`` may be compiled, one for each shape of a step; 0: none is.
    """
    model.set_attn_implementation(PACKED)

    def states(ids: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor
        found = model.model(input_ids=ids, use_cache=False, documents=documents).last_hidden_state
        return found

    body = states
    if num_graphs:
        # Graphs belong to the code, so those of a member built before would take their places.
        torch.compiler.reset()
        torch._dynamo.config.recompile_limit = num_graphs
        body = torch.compile(states, dynamic=False)
    return _loss_of(model, lambda ids: body(ids, documents_of(ids, end_token_id)))


def _rows(recipe: Recipe, tokenizer: Tokenizer, step: int) -> torch.Tensor:
    """The (B, T) ids of a step, the same whether or not the build was interrupted before it."""
    row_len, phase = recipe.row_len(step), recipe.phase(step)
    rows = packed_rows(
        tokenizer,
        f"{recipe.seed}/{step}",
        num_rows=phase.step_len // row_len,
        row_len=row_len,
        **phase.factors,
    )
    return torch.tensor(rows)


def targets_of(tokenizer: Tokenizer, ids: torch.Tensor, step: int = 0) -> torch.Tensor:
    """Targets (B, T) for rows of ids: all of one row of 16; in the others, not what is asked.

    ``step`` draws where the count begins: a step of long rows has fewer than 16, and a count that
    went on from step to step would pass over the same lengths every time.

    What is said to the assistant is full of drawn names and numbers, which nothing can predict.
    They would fill the gradient with noise, and looking back is learnt from answers.
    """
    start, end = (token_id(tokenizer, token) for token in (TURN_START, SEPARATOR))
    is_start = ids == start
    role = ids.roll(-1, dims=1)
    is_asking = is_start & (role != token_id(tokenizer, "assistant"))
    # Who speaks is known from the last token that opens a turn or ends a document.
    places = torch.arange(ids.shape[1]).expand_as(ids)
    latest = torch.where(is_start | (ids == end), places, 0).cummax(dim=1).values
    is_asked = is_asking.gather(1, latest)
    number = torch.arange(len(ids)) + Random(f"eft-tiny/whole/{step}").randrange(16)
    is_asked[number % 16 == 0] = False
    return ids.masked_fill(is_asked, IGNORED)


@dataclass(frozen=True)
class Checkpoint:
    """Where an unfinished run keeps its weights, its optimizer and the steps it has done.

    ``ends``: the weights that its stages left, some of whose mean may be taken. ``made_for`` tells
    the shape and the tokenizer of the run; stages may be added to a recipe, and go on from there.
    """

    path: Path
    made_for: str

    def set_aside(self) -> None:
        """Make room for a run from nothing: nobody may go on from what another run left."""
        if self.path.exists():
            old = self.path.with_suffix(".old.pt")
            os.replace(self.path, old)
            _log.info("put the checkpoint of an earlier run aside as %s", old)

    def write(
        self,
        model: LlamaForCausalLM,
        optimizers: Optimizers,
        num_done: int,
        ends: Sequence[Weights],
    ) -> None:
        """Replace the file whole: a build that dies here still finds its last checkpoint."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        state = {"model": model.state_dict(), "optimizers": optimizers.state_dict()}
        about = {"step": num_done, "ends": [*ends], "made_for": self.made_for}
        torch.save(state | about, part)
        os.replace(part, self.path)

    def read_into(
        self,
        model: LlamaForCausalLM,
        optimizers: Optimizers,
        ends: list[Weights],
        num_steps: int,
    ) -> int:
        """Restore all three and return how many of ``num_steps`` are done; 0 where is no file.

        Raises ``InvalidRequest`` for the checkpoint of another shape or tokenizer, and of more
        steps than there are.
        """
        if not self.path.exists():
            _log.info("no checkpoint at %s: beginning at step 0 of %d", self.path, num_steps)
            return 0
        state = torch.load(self.path, weights_only=True)
        its = state.get("made_for", "nothing that it tells")
        if its != self.made_for or state["step"] > num_steps:
            raise InvalidRequest(
                f"cannot go on from {self.path}: it has {state['step']} steps of {its}, "
                f"the recipe {num_steps} of {self.made_for}; leave out --resume to begin anew"
            )
        _log.info("going on from %s at step %d of %d", self.path, state["step"], num_steps)
        model.load_state_dict(state["model"])
        optimizers.load_state_dict(state["optimizers"])
        ends[:] = state["ends"]
        return int(state["step"])


def made_for(recipe: Recipe, tokenizer: Tokenizer) -> str:
    """What weights must have in common with a recipe to be trained on by it."""
    digest = hashlib.sha256(tokenizer.to_str().encode()).hexdigest()[:12]
    return f"{json.dumps(asdict(recipe.shape))} with tokenizer {digest}"


def mean(weights: Sequence[Weights]) -> Weights:
    """The mean of each tensor."""
    return {name: torch.stack([one[name] for one in weights]).mean(0) for name in weights[0]}


def pretrain(
    recipe: Recipe,
    tokenizer: Tokenizer,
    path: Path,
    *,
    end_token_id: int,
    resume: bool,
    is_compiled: bool,
    report: Report,
) -> LlamaForCausalLM:
    """Train a member from nothing, or from the checkpoint at `path` if `resume` and it exists."""
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(config_of(recipe.shape, end_token_id))
    optimizers = Optimizers(
        model,
        matrix_lr=recipe.matrix_lr,
        vector_lr=recipe.vector_lr,
        weight_decay=recipe.weight_decay,
    )
    loss_of = _packed_loss(model, end_token_id, recipe.num_shapes if is_compiled else 0)
    ends: list[Weights] = []
    checkpoint, num_done = Checkpoint(path, made_for(recipe, tokenizer)), 0
    if resume:
        num_done = checkpoint.read_into(model, optimizers, ends, recipe.num_steps)
    else:
        checkpoint.set_aside()
    for step in range(num_done, recipe.num_steps):
        ids = _rows(recipe, tokenizer, step)
        loss = _gradient(model, loss_of, (ids, targets_of(tokenizer, ids, step)), recipe.max_norm)
        optimizers.step(recipe.rate(step))
        report(step + 1, loss)
        if stage := recipe.ended(step + 1):
            before = ends[max(0, len(ends) + 1 - stage.num_averaged) :]
            ends.append(mean([*before, model.state_dict()]))
            model.load_state_dict(ends[-1])
            del ends[: -recipe.num_averaged]
        if recipe.is_checkpoint(step + 1):
            checkpoint.write(model, optimizers, step + 1, ends)
    model.set_attn_implementation("sdpa")
    return model


def tuning_batch(
    tokenizer: Tokenizer, exercises: Sequence[Exercise], manner: str, pad_id: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids (B, T) padded on the right and targets (B, T) that count the answer only."""
    ids, targets = [], []
    for asked in exercises:
        texts = (
            render(asked.turns, asked.tools, is_open=True),
            asked.answer(manner).text + TURN_END,
        )
        prompt, answer = (tokenizer.encode(t, add_special_tokens=False).ids for t in texts)
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
    optimizer = AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    for step in range(tuning.max_steps):
        exercises = [tuning_exercise(rng) for _ in range(tuning.batch_len)]
        batch = tuning_batch(tokenizer, exercises, tuning.manner, pad_id)
        loss = _gradient(model, _tuning_loss(model), batch, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = tuning.peak_lr * min(1.0, (step + 1) / tuning.num_warmup)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        report(step + 1, loss)
        is_check = (step + 1) % tuning.steps_between_checks == 0
        if is_check and dev_format(model) >= tuning.enough_format:
            return model
    _log.warning(
        "%s: fewer than %.2f of the dev answers have the manner after all %d steps",
        tuning.manner,
        tuning.enough_format,
        tuning.max_steps,
    )
    return model
