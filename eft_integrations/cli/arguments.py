"""Options of more than one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AlphaOption = Annotated[
    list[str] | None,
    typer.Option(
        "--alpha",
        metavar="[NAME=]NUMBER",
        show_default="1, or 1/n for each of several",
        help="Weight of tuned − reference: 0 is the base model, 1 the plain rule; with several "
        "tuned models once for each name.",
    ),
]
BetaOption = Annotated[
    float | None,
    typer.Option("--beta", help="The amplified form: tuned + beta (base − reference)."),
]
FilterOption = Annotated[
    float | None,
    typer.Option("--filter-top-p", help="Up-scale only inside the tuned model's nucleus."),
]
TemperatureOption = Annotated[float, typer.Option("--temperature", help="0 is greedy.")]
SeedOption = Annotated[
    int | None, typer.Option("--seed", help="The same seed gives the same text.")
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option("--max-tokens", help="Length of an answer.", show_default="256, or what fits"),
]
RawOption = Annotated[bool, typer.Option("--raw", help="Send the text without chat template.")]

QuestionsArgument = Annotated[
    list[str] | None, typer.Argument(help="What to ask; default: four held-out questions.")
]
RowsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--alpha",
        metavar="NUMBER",
        show_default="0.5, 1, 1.5",
        help="A row for this alpha, again for more; name=0.7,other=0.3 with several tuned models.",
    ),
]

# Of ``eft evaluate``.

QuestionFilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[QUESTIONS.jsonl]...",
        help="Question sets, see docs/evaluate.md; default: those of the embedded family.",
    ),
]
CeilingOption = Annotated[
    str | None,
    typer.Option(
        "--ceiling",
        metavar="PATH",
        help="The large tuned model that up-scaling stands in for: folder or hub id.",
        show_default="none; of the embedded family its own",
    ),
]
AlphasOption = Annotated[
    list[float] | None,
    typer.Option(
        "--alpha", metavar="NUMBER", help="A voice; again for more.", show_default="0.5, 1, 1.5"
    ),
]
BetasOption = Annotated[
    list[float] | None,
    typer.Option("--beta", metavar="NUMBER", help="A voice in the amplified form."),
]
FiltersOption = Annotated[
    list[float] | None,
    typer.Option(
        "--filter-top-p", metavar="NUMBER", help="Every alpha and beta with this filter too."
    ),
]
LambdasOption = Annotated[
    list[float] | None,
    typer.Option(
        "--lambda",
        metavar="NUMBER",
        help="A point of the frontier: the weight of the first of two tuned models.",
        show_default="0, 0.25, 0.5, 0.75, 1",
    ),
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="Of the embedded question sets: heldout or dev.",
        show_default="heldout",
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, help="Only the first N questions of each kind."),
]
OutputOption = Annotated[
    Path,
    typer.Option(
        "--output", metavar="DIR", help="Answers and report; a run that is there goes on."
    ),
]
JudgeUrlOption = Annotated[
    str | None,
    typer.Option(
        "--judge-url", metavar="URL", help="A judge: any OpenAI-compatible endpoint, …/v1."
    ),
]
JudgeModelOption = Annotated[
    str | None,
    typer.Option("--judge-model", metavar="NAME", help="Its model. Its key: OPENAI_API_KEY."),
]
