"""Options of more than one command."""

from __future__ import annotations

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
