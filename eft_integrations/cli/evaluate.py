"""``eft evaluate``: does up-scaling help? Answers, grades, a report and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Any

from rich.console import Console

from eft_integrations import tiny
from eft_integrations.cli import arguments as given
from eft_integrations.cli import members as which
from eft_integrations.cli.boundary import interrupted_by, tell
from eft_integrations.cli.progress import bar
from eft_integrations.cli.report import scores
from eft_integrations.errors import InvalidRequest
from eft_integrations.mixture import BASE, Mixture

if TYPE_CHECKING:
    from eft_integrations.engine import Engine
    from eft_integrations.evaluation import Judge, Lineup, Question, Run

MAX_SLOTS = 32  # answers that are written at once
OUTPUT = Path("eft-evaluation")


def evaluate(
    questions: given.QuestionFilesArgument = None,
    ceiling: given.CeilingOption = None,
    alpha: given.AlphasOption = None,
    beta: given.BetasOption = None,
    filter_top_p: given.FiltersOption = None,
    weights: given.LambdasOption = None,
    split: given.SplitOption = None,
    limit: given.LimitOption = None,
    max_tokens: given.MaxTokensOption = None,
    output: given.OutputOption = OUTPUT,
    judge_url: given.JudgeUrlOption = None,
    judge_model: given.JudgeModelOption = None,
    base: which.BaseOption = None,
    tuned: which.TunedOption = None,
    reference: which.ReferenceOption = None,
    dtype: which.DtypeOption = None,
    device: which.DeviceOption = None,
) -> None:
    """Measure what up-scaling recovers, on questions with known answers; report and plots."""
    members = which.Members(
        base=base,
        tuned=tuned,
        reference=reference,
        dtype=dtype,
        device=device,
        embedded=tiny.TUNED,
    )
    from eft_integrations import evaluation

    judge = _judge(judge_url, judge_model)
    asked = _questions(questions or (), split, limit)
    if ceiling is None and members.are_embedded:
        ceiling = str(tiny.member_path("ceiling"))
    elif ceiling is not None:
        _refuse_lost(ceiling)
    lambdas = _lambdas(weights, asked)
    coefficients = evaluation.Coefficients.of(alpha, beta, filter_top_p, lambdas)
    lineup = evaluation.line_up(members.roles, coefficients, has_ceiling=ceiling is not None)
    run = evaluation.Run(
        questions=asked,
        lineup=lineup,
        folder=evaluation.Folder(output),
        open_trio=lambda: _trio(members, lineup),
        open_ceiling=lambda: _ceiling(ceiling, members),
        max_tokens=max_tokens,
        members=_named(members, ceiling),
        settings=members.placement,
        judge=judge,
    )
    _carry_out(run)


def _carry_out(run: Run) -> None:
    """Evaluate with a bar, publish, and say where."""
    from eft_integrations import evaluation

    try:
        with bar() as progress:
            summary = evaluation.evaluate(run, progress)
    except KeyboardInterrupt:
        tell(f"stopped; the answers so far are in {run.folder.path}: run again to go on")
        raise
    report = evaluation.publish(run, summary)
    for note in report.notes:
        tell(note)
    console = Console()
    console.print(scores(summary))
    path = run.folder.path / "report.md"
    console.print(f"report: {path}", highlight=False, soft_wrap=True, markup=False)


def _questions(files: Sequence[Path], split: str | None, limit: int | None) -> tuple[Question, ...]:
    from eft_integrations.evaluation import first_of_each_kind, load_questions

    if files and split is not None:
        raise InvalidRequest(
            "--split chooses among the embedded question sets; leave it out with your own"
        )
    found = load_questions(*(files or tiny.question_files(split or "heldout")))
    return found if limit is None else first_of_each_kind(found, limit)


def _lambdas(
    wanted: Sequence[float] | None, questions: Sequence[Question]
) -> Sequence[float] | None:
    """None for the usual ones; none at all where no question could show what they do."""
    from eft_integrations.evaluation.questions import HARMFUL

    if any(question.kind == HARMFUL for question in questions):
        return wanted
    if wanted:
        raise InvalidRequest(
            "--lambda counts refusals of questions of the kind 'harmful', and there are none; add "
            "some, or leave it out"
        )
    return ()


def _judge(url: str | None, model: str | None) -> Judge | None:
    from eft_integrations.evaluation import Judge

    if (url is None) != (model is None):
        missing = "--judge-url" if url is None else "--judge-model"
        raise InvalidRequest(f"a judge needs --judge-url and --judge-model; {missing} is missing")
    return Judge(url=url, model=model) if url and model else None


def _trio(members: which.Members, lineup: Lineup) -> Engine:
    mixtures = [voice.mixture for voice in lineup.of_the_trio]
    return members.open(*mixtures, max_slots=MAX_SLOTS)


def _ceiling(path: str | None, members: which.Members) -> Engine:
    from eft_integrations.engine import Engine

    own = {"dtype": "float32"} if members.are_embedded else {}
    settings: dict[str, Any] = {**own, **members.placement}
    alone = Mixture(weights={BASE: 1})
    with interrupted_by(SIGINT):
        return Engine.from_pretrained(base=path, mixture=alone, max_slots=MAX_SLOTS, **settings)


def _refuse_lost(ceiling: str) -> None:
    """A path that leads nowhere is told at once: the ceiling is opened after hours, perhaps."""
    from eft_integrations.engine.placement import refuse_wrong_path

    refuse_wrong_path("ceiling", ceiling)


def _named(members: which.Members, ceiling: str | None) -> dict[str, str]:
    """Each member as a person calls it, and the fingerprint of its weights."""
    from eft_integrations.evaluation import fingerprint

    by_name: dict[str, object] = {}
    for role, member in {**members.by_role, "ceiling": ceiling}.items():
        several = isinstance(member, Mapping)
        by_name.update(
            {f"{role} {name}": one for name, one in member.items()} if several else {role: member}
        )
    found, embedded = {}, tiny.member_path("base").parent
    for name, member in by_name.items():
        if member is not None:
            path = Path(str(member))
            word = f"embedded {path.name}" if path.parent == embedded else str(member)
            found[name] = " ".join(filter(None, (word, fingerprint(member))))
    return found
