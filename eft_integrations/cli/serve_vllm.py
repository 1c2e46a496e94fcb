"""``eft serve-vllm``: vLLM's OpenAI server with the up-scaled model."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated

import typer

from eft_integrations.cli import arguments as options
from eft_integrations.cli import members as which
from eft_integrations.cli import values

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
    with _terminated_as_interrupted(), own as trio:
        serve(context.args, **trio, mixture=mixture, draft_tokens=draft_tokens)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM closes what is open, as Ctrl-C does; once vLLM begins, both are its own."""
    heard = []

    def stop(number: int, _frame: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except Exception as error:
        # Native code that is interrupted, as it reads weights, may tell of any other error.
        if heard:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
