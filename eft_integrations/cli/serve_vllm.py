"""``eft serve-vllm``: vLLM's OpenAI server with the up-scaled model."""

from __future__ import annotations

from contextlib import nullcontext
from signal import SIGTERM
from typing import Annotated

import typer

from eft_integrations.cli import arguments as options
from eft_integrations.cli import members as which
from eft_integrations.cli import values
from eft_integrations.cli.boundary import interrupted_by

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


def serve_vllm(
    context: typer.Context,
    base: which.BaseOption = None,
    tuned: which.TunedOption = None,
    reference: which.ReferenceOption = None,
    alpha: options.AlphaOption = None,
    beta: options.BetaOption = None,
    filter_top_p: options.FilterOption = None,
    draft_tokens: Annotated[
        int | None,
        typer.Option(
            "--draft-tokens",
            metavar="N",
            help="Speculate: vLLM drafts N tokens with the tuned model (its V2 runner only).",
        ),
    ] = None,
) -> None:
    """Serve with vLLM; whatever else is given goes to `vllm serve`, such as --port or
    --tensor-parallel-size. A request's own coefficients: "vllm_xargs": {"eft_alpha": 0.5}.
    """
    members = which.Members(base=base, tuned=tuned, reference=reference)
    mixture = values.mixture(alpha or (), beta, filter_top_p)
    from eft_integrations.vllm import embedded, serve

    own = embedded() if members.are_embedded else nullcontext(members.by_role)
    # Once vLLM begins, signals are its own.
    with interrupted_by(SIGTERM), own as trio:
        serve(context.args, **trio, mixture=mixture, draft_tokens=draft_tokens)
