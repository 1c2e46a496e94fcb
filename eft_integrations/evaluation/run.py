"""One evaluation from beginning to end: answer, compare, judge, sum up. It resumes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from eft_integrations import __version__
from eft_integrations.checks import integer
from eft_integrations.engine import Engine
from eft_integrations.errors import InvalidRequest
from eft_integrations.evaluation import agreement as agreeing
from eft_integrations.evaluation.answering import Asked, answer, asked, pending
from eft_integrations.evaluation.judge import Judge, check, judge_all, scaled, scores
from eft_integrations.evaluation.progress import Progress, Silence
from eft_integrations.evaluation.questions import Question, digest
from eft_integrations.evaluation.record import Answer, Folder, Manifest
from eft_integrations.evaluation.summary import Summary, summarised
from eft_integrations.evaluation.voices import Lineup, Voice

Answers = dict[tuple[str, str], Answer]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is evaluated and where it is kept.

    ``open_trio`` and ``open_ceiling`` build the engines when something is still to be answered;
    they are closed again here, so that two of them never need memory at once. ``members`` and
    ``settings`` are what a resumed run must share with its beginning, in plain words.
    """

    questions: tuple[Question, ...]
    lineup: Lineup
    folder: Folder
    open_trio: Callable[[], Engine]
    open_ceiling: Callable[[], Engine] | None = None
    max_tokens: int | None = None
    members: Mapping[str, str]
    settings: Mapping[str, object]
    judge: Judge | None = None

    def __post_init__(self) -> None:
        if self.max_tokens is not None:
            integer("max_tokens", self.max_tokens, low=1)

    @property
    def manifest(self) -> Manifest:
        return Manifest(
            questions=digest(self.questions),
            num_questions=len(self.questions),
            members=self.members,
            voices={voice.label: _spelled(voice) for voice in self.lineup.voices},
            settings={"max_tokens": self.max_tokens, **self.settings},
        )


def evaluate(run: Run, progress: Progress | None = None) -> Summary:
    """Answer what is not answered yet, and sum up.

    Raises ``InvalidRequest`` where the folder holds another run or a question does not fit, and
    whatever opening the engines raises. What was answered until then is kept.
    """
    progress = progress or Silence()
    if run.judge is not None:
        check(run.judge)
    run.folder.begin(run.manifest, versions())
    answers = run.folder.answers(run.questions)
    _ask_trio(run, answers, progress)
    _ask_ceiling(run, answers, progress)
    answers = run.folder.answers(run.questions)
    judged = _judge(run, answers, progress)
    return summarised(
        run.lineup,
        run.questions,
        answers,
        _agreement(run),
        judged=None if judged is None else scaled(judged),
        unjudged={} if judged is None else _unjudged(answers, judged),
    )


def _unjudged(answers: Answers, judged: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """How many answers of each voice have no score, where any have none."""
    return dict(Counter(voice for voice, one in answers if (voice, one) not in judged))


def versions() -> dict[str, str]:
    """Of this package, and of those that a number may depend on."""
    others = {name: version(name) for name in ("torch", "transformers", "numpy")}
    return {"eft-integrations": __version__, **others}


def _judge(run: Run, answers: Answers, progress: Progress) -> dict[tuple[str, str], int] | None:
    """The judge's scores of these answers; None without a judge."""
    if run.judge is None:
        return None
    by_id = {question.id: question for question in run.questions}
    todo = [(by_id[answer.id], answer) for answer in answers.values()]
    judge_all(run.judge, todo, run.folder, progress)
    found = scores(run.judge, run.folder)
    return {key: score for key, score in found.items() if key in answers}


def _agreement(run: Run) -> agreeing.Agreement | None:
    drafted = run.lineup.drafted
    if drafted is None:
        return None
    found = agreeing.traced(run.folder)
    return agreeing.agreement(run.lineup.tuned.label, drafted.label, run.questions, found)


def _ask_trio(run: Run, answers: Answers, progress: Progress) -> None:
    """Every voice of the trio, and the drafter's agreement, while its engine is open."""
    pairs = pending(run.lineup.of_the_trio, run.questions, answers)
    drafted = run.lineup.drafted
    traced = agreeing.traced(run.folder)
    are_traced = drafted is None or all((drafted.label, q.id) in traced for q in run.questions)
    if are_traced and not pairs:
        return
    with run.open_trio() as engine:
        prompts = asked(engine, run.questions, run.max_tokens)
        progress.begin("answering", len(pairs))
        answer(engine, pairs, prompts, run.folder, progress.advance)
        if drafted is not None:
            _trace(run, engine, drafted, prompts, progress)


def _trace(run: Run, engine: Engine, drafted: Voice, prompts: Asked, progress: Progress) -> None:
    answers = run.folder.answers(run.questions)
    traced = agreeing.traced(run.folder)
    todo = [
        (question, answers[drafted.label, question.id])
        for question in run.questions
        if (drafted.label, question.id) not in traced
    ]
    progress.begin("comparing with the drafter", len(todo))
    agreeing.trace(engine, run.lineup.tuned, todo, prompts.prompts, run.folder, progress.advance)


def _ask_ceiling(run: Run, answers: Answers, progress: Progress) -> None:
    if run.lineup.ceiling is None or run.open_ceiling is None:
        return
    pairs = pending([run.lineup.ceiling], run.questions, answers)
    if pairs:
        with run.open_ceiling() as engine:
            try:
                prompts = asked(engine, run.questions, run.max_tokens)
            except InvalidRequest as error:
                raise InvalidRequest(f"the ceiling: {error}") from error
            progress.begin("answering with the ceiling", len(pairs))
            answer(engine, pairs, prompts, run.folder, progress.advance)


def _spelled(voice: Voice) -> dict[str, object]:
    """The coefficients that were given, as plain numbers."""
    mixture = voice.mixture
    given = {
        "alpha": dict(mixture.alpha) if isinstance(mixture.alpha, Mapping) else mixture.alpha,
        "beta": mixture.beta,
        "weights": None if mixture.weights is None else dict(mixture.weights),
        "filter_top_p": mixture.filter_top_p,
    }
    return {name: value for name, value in given.items() if value is not None}
