"""``eft show``: an answer in the colours of those who said it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from eft_integrations.cli import arguments as given
from eft_integrations.cli import members as which
from eft_integrations.cli import prompts, values
from eft_integrations.cli.boundary import tell
from eft_integrations.errors import InvalidRequest
from eft_integrations.request import Sampling

if TYPE_CHECKING:
    from eft_integrations.engine import Engine
    from eft_integrations.viz import Trace

TextOption = Annotated[
    str | None,
    typer.Option(
        "--text", metavar="ANSWER", help="Write nothing: who would have said this answer?"
    ),
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a page with all numbers too.")
]

_WIDEST = 1000  # columns that a table in a pipe may have


def show(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    text: TextOption = None,
    html: HtmlOption = None,
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
    """Show who said each token: the base's knowledge, the tuned model's manner, or both."""
    prompts.refuse_blank(question)
    mixture = values.mixture(alpha or (), beta, filter_top_p)
    sampling = Sampling(temperature=temperature, seed=seed, max_tokens=max_tokens)
    if text is not None:
        _refuse_writing(text, sampling)
    if html is not None:
        _refuse_unwritable(html)
    members = which.Members(base=base, tuned=tuned, reference=reference, dtype=dtype, device=device)
    with members.open(mixture) as engine:
        is_raw = prompts.goes_raw(engine, raw)
        prompt = prompts.of_question(engine, question, is_raw=is_raw)
        trace = _traced(engine, prompt, text, sampling)
    _draw(trace)
    if html is not None:
        _write(trace, question, html)


def _refuse_writing(text: str, sampling: Sampling) -> None:
    """What shapes a written answer has no meaning for a given one."""
    if not text:
        raise InvalidRequest(
            "--text is empty; give the answer, or leave it out to have one written"
        )
    given_options = {
        "--temperature": sampling.temperature != 0,
        "--seed": sampling.seed is not None,
        "--max-tokens": sampling.max_tokens is not None,
    }
    for option, is_given in given_options.items():
        if is_given:
            raise InvalidRequest(f"--text writes nothing that {option} could shape; drop one")


def _refuse_unwritable(path: Path) -> None:
    """Told before anything is loaded, since the page is written last."""
    try:
        is_folder, has_folder = path.is_dir(), path.parent.is_dir()
    except OSError as error:
        raise _unwritable(path, error) from error
    if is_folder:
        raise InvalidRequest(f"--html {path} is a folder; name a file")
    if not has_folder:
        raise InvalidRequest(f"--html {path} is in no folder that exists; create {path.parent}")


def _unwritable(path: Path, error: OSError) -> InvalidRequest:
    return InvalidRequest(f"cannot write {path}: {error.strerror}; name another file")


def _traced(engine: Engine, prompt: prompts.Prompt, text: str | None, sampling: Sampling) -> Trace:
    from eft_integrations import viz

    if text is not None:
        return viz.trace(engine, prompt, text)
    num_tokens = prompts.answer_len(engine, prompt, sampling.max_tokens)
    trace = viz.trace(engine, prompt, sampling=replace(sampling, max_tokens=num_tokens))
    if trace.finish_reason == "length":
        tell(f"(cut at {num_tokens} tokens; see --max-tokens)")
    return trace


def _draw(trace: Trace) -> None:
    from eft_integrations import viz

    console = Console()
    is_plain = not console.is_terminal or console.no_color or console.color_system is None
    console.print(viz.terminal(trace, is_plain=is_plain), soft_wrap=not console.is_terminal)
    console.print()
    console.print(viz.legend(trace, is_plain=is_plain))
    console.print()
    # A pipe has no width, and whoever reads it wants every digit.
    wide = console if console.is_terminal else Console(width=_WIDEST)
    wide.print(viz.table(trace, is_plain=is_plain))


def _write(trace: Trace, question: str, path: Path) -> None:
    from eft_integrations import viz

    try:
        path.write_text(viz.html(trace, title=question), encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error
    tell(f"wrote {path}")
