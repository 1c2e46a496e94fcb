"""``eft ask``: one question, one answer as it is written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from eft_integrations.cli import arguments as given
from eft_integrations.cli import members as which
from eft_integrations.cli import prompts, values
from eft_integrations.cli.boundary import pour, tell
from eft_integrations.request import Sampling

if TYPE_CHECKING:
    from eft_integrations.engine import Engine


def ask(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    alpha: given.AlphaOption = None,
    beta: given.BetaOption = None,
    filter_top_p: given.FilterOption = None,
    temperature: given.TemperatureOption = 0.0,
    seed: given.SeedOption = None,
    max_tokens: given.MaxTokensOption = None,
    raw: given.RawOption = False,
    base: which.BaseOption = None,
    tuned: which.TunedOption = None,
    reference: which.ReferenceOption = None,
    dtype: which.DtypeOption = None,
    device: which.DeviceOption = None,
) -> None:
    """Ask one question; the answer streams to stdout, everything else to stderr."""
    prompts.refuse_blank(question)
    mixture = values.mixture(alpha or (), beta, filter_top_p)
    sampling = Sampling(temperature=temperature, seed=seed, max_tokens=max_tokens)
    members = which.Members(base=base, tuned=tuned, reference=reference, dtype=dtype, device=device)
    with members.open(mixture) as engine:
        is_raw = prompts.goes_raw(engine, raw)
        _answer(engine, prompts.of_question(engine, question, is_raw=is_raw), sampling)


def _answer(engine: Engine, prompt: prompts.Prompt, sampling: Sampling) -> None:
    num_tokens = prompts.answer_len(engine, prompt, sampling.max_tokens)
    with engine.stream(prompt, sampling=replace(sampling, max_tokens=num_tokens)) as stream:
        pour(stream, [])
        if stream.result.finish_reason == "length":
            tell(f"(cut at {num_tokens} tokens; see --max-tokens)")
