"""``eft compare``: the small tuned model, the large base model and mixtures, side by side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

from eft_integrations import tiny
from eft_integrations.cli import arguments as given
from eft_integrations.cli import members as which
from eft_integrations.cli import prompts, values
from eft_integrations.cli.table import Cell, Section, Voice, drawn, fitting
from eft_integrations.mixture import BASE, Mixture, Roles
from eft_integrations.request import Sampling

if TYPE_CHECKING:
    from eft_integrations.engine import Engine

ALPHAS = (0.5, 1.0, 1.5)
# The first held-out question of each of these kinds, which the base model learnt well: none is
# picked by its answers.
RELATIONS = ("capital", "currency", "calling_code", "symbol")
LEGEND = "✓ right. tuned: polite, but guesses; base: knows, but is curt; up-scaled: both."
_MAX_ROWS = 64  # at once; more wait their turn


def compare(
    questions: given.QuestionsArgument = None,
    alpha: given.RowsOption = None,
    filter_top_p: given.FilterOption = None,
    max_tokens: Annotated[int, typer.Option(help="Length of an answer.")] = 40,
    raw: given.RawOption = False,
    base: which.BaseOption = None,
    tuned: which.TunedOption = None,
    reference: which.ReferenceOption = None,
    dtype: which.DtypeOption = None,
    device: which.DeviceOption = None,
) -> None:
    """Show what the small tuned, the large base and the up-scaled model answer."""
    wanted = [prompts.refuse_blank(question) for question in questions or default_questions()]
    mixtures = [values.mixture(word.split(","), None, filter_top_p) for word in alpha or ()]
    sampling = Sampling(max_tokens=max_tokens)
    members = which.Members(base=base, tuned=tuned, reference=reference, dtype=dtype, device=device)
    num_rows = len(wanted) * (len(mixtures or ALPHAS) + 3)
    slots = {"max_slots": min(num_rows, _MAX_ROWS), "max_queue": num_rows}
    with members.open(Mixture(filter_top_p=filter_top_p), *mixtures, **slots) as engine:
        voices = voices_of(engine.roles, mixtures, filter_top_p)
        known = answers() if members.are_embedded else {}
        sections = [
            Section(question=q, answer=known.get(q), cells=[Cell(voice=v) for v in voices])
            for q in wanted
        ]
        is_raw = prompts.goes_raw(engine, raw)
        asked = [prompts.of_question(engine, question, is_raw=is_raw) for question in wanted]
        _show(engine, sections, asked, sampling)
    if known and not questions:  # it speaks of these questions
        Console().print(LEGEND, style="dim")


def default_questions() -> list[str]:
    """Held-out questions in plain wording, the first of each relation."""
    plain = [item for item in tiny.heldout_questions() if not item.is_apart]
    return [next(i.question for i in plain if i.relation == kind) for kind in RELATIONS]


def answers() -> dict[str, str]:
    """The right answers of the embedded family's questions."""
    return {item.question: item.answer for item in tiny.heldout_questions()}


def voices_of(roles: Roles, mixtures: Sequence[Mixture], filter_top_p: float | None) -> list[Voice]:
    """Each tuned model alone, the base alone, then the mixtures; alpha 0 is the base."""
    alone = [Voice(label=name, mixture=Mixture(weights={name: 1})) for name in roles.tuned]
    base = Voice(label="base (alpha 0)", mixture=Mixture(weights={BASE: 1}))
    shown = mixtures or [_default(roles, alpha, filter_top_p) for alpha in ALPHAS]
    mixed = [Voice(label=_label(m), mixture=m) for m in shown if m.alpha != 0]
    return [*alone, base, *mixed]


def _default(roles: Roles, alpha: float, filter_top_p: float | None) -> Mixture:
    """``alpha``, in equal parts where there are several tuned models."""
    if len(roles.tuned) == 1:
        return Mixture(alpha=alpha, filter_top_p=filter_top_p)
    parts = {name: alpha / len(roles.tuned) for name in roles.tuned}
    return Mixture(alpha=parts, filter_top_p=filter_top_p)


def _label(mixture: Mixture) -> str:
    if isinstance(mixture.alpha, (int, float)):
        return f"alpha {mixture.alpha:g}"
    return " ".join(f"{name} {alpha:.3g}" for name, alpha in (mixture.alpha or {}).items())


def _show(
    engine: Engine,
    sections: Sequence[Section],
    asked: Sequence[prompts.Prompt],
    sampling: Sampling,
) -> None:
    """Fill the table: live on a terminal, printed once elsewhere; then what it took."""
    console = Console()
    started = time.perf_counter()
    if console.is_terminal:
        with Live(get_renderable=lambda: fitting(console, sections), console=console):
            asyncio.run(_fill(engine, sections, asked, sampling))
    else:
        asyncio.run(_fill(engine, sections, asked, sampling))
        console.print(drawn(sections, is_plain=True))
    console.print(_cost(engine, time.perf_counter() - started), highlight=False)


async def _fill(
    engine: Engine,
    sections: Sequence[Section],
    asked: Sequence[prompts.Prompt],
    sampling: Sampling,
) -> None:
    """All cells at once: one batch, a mixture for each row."""
    await asyncio.gather(
        *(
            _write(engine, cell, prompt, sampling)
            for section, prompt in zip(sections, asked, strict=True)
            for cell in section.cells
        )
    )


async def _write(engine: Engine, cell: Cell, prompt: prompts.Prompt, sampling: Sampling) -> None:
    mixture = cell.voice.mixture
    async with engine.astream(prompt, mixture=mixture, sampling=sampling) as stream:
        async for event in stream:
            cell.text += event.text
    cell.is_done = True


def _cost(engine: Engine, seconds: float) -> str:
    stats = engine.stats()
    passes = [stats.members[role].passes for role in engine.roles.available]
    most = sorted({min(passes), max(passes)})
    return (
        f"{stats.num_tokens} tokens in {seconds:.1f} s: {stats.num_tokens / seconds:.0f} tokens/s "
        f"in all, {' to '.join(map(str, most))} passes of each member"
    )
