"""``eft bench``: how fast is it here?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer
from rich.console import Console

from eft_integrations.cli import measuring
from eft_integrations.cli import members as which
from eft_integrations.cli.measuring import Lengths, Measured
from eft_integrations.errors import InvalidRequest

_MEMBERS = ("--synthetic", "--base", "--tuned", "--reference", "--dtype")
# Options of what is not speed.
_TAKES = {"langchain": ("--rounds", *_MEMBERS), "memory": _MEMBERS}


def bench(
    context: typer.Context,
    what: Annotated[
        Literal["speed", "langchain", "memory"],
        typer.Argument(
            help="speed: against the naive loop and the large model alone. langchain: what ChatEFT "
            "costs beside the engine. memory: at most, and after many requests."
        ),
    ] = "speed",
    rounds: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="A figure is the median of so many.  [3; langchain: 9]"
        ),
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Length of an answer.  [64]")
    ] = None,
    prompt: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Length of a prompt.  [128]")
    ] = None,
    rows: Annotated[
        list[int] | None,
        typer.Option(metavar="N", min=1, help="Prompts at once; again for more.  [1, 8, 16]"),
    ] = None,
    synthetic: Annotated[
        float | None,
        typer.Option(
            metavar="AGREEMENT",
            min=0,
            max=1,
            help="A trio of 1.8 and 0.16 billion parameters, whose drafts agree so often.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where bench.md, .json and .svg go.")
    ] = None,
    base: which.BaseOption = None,
    tuned: which.TunedOption = None,
    reference: which.ReferenceOption = None,
    dtype: which.DtypeOption = None,
) -> None:
    """Measure on this machine: tokens a second of every way to write up-scaled text."""
    given = {f"--{name}": value for name, value in context.params.items() if name != "what"}
    _refuse_unheeded(what, given)
    members = which.Members(base=base, tuned=tuned, reference=reference, dtype=dtype)
    lengths = Lengths(rounds or 3, tokens or 64, prompt or 128, rows or [1, 8, 16])
    with _trio(members, synthetic) as trio:
        if what == "langchain":
            measuring.langchain(trio, rounds or 9)
        elif what == "memory":
            measuring.memory(trio)
        else:
            measuring.speed(trio, lengths, output)


def _refuse_unheeded(what: str, given: Mapping[str, object]) -> None:
    """What is given must be of use."""
    taken = _TAKES.get(what, given)
    said = [name for name, value in given.items() if value not in (None, [], ())]
    idle = [name for name in said if name not in taken]
    if idle:
        raise InvalidRequest(
            f"eft bench {what} takes {', '.join(taken)} only; leave {', '.join(idle)} out"
        )


@contextmanager
def _trio(members: which.Members, synthetic: float | None) -> Iterator[Measured]:
    if synthetic is None:
        yield _given(members)
    elif members.are_embedded:
        with TemporaryDirectory() as folder:
            Console(stderr=True).print("building the synthetic trio, two billion parameters …")
            yield _built(Path(folder), synthetic, members.dtype)
    else:
        raise InvalidRequest("--synthetic builds its own members; leave --base … out")


def _given(members: which.Members) -> Measured:
    from eft_integrations.engine.placement import default_dtype

    by_role = members.by_role
    if set(by_role) != {"base", "tuned", "reference"} or not all(
        isinstance(member, (str, Path)) for member in by_role.values()
    ):
        raise InvalidRequest("eft bench needs --base, --tuned and --reference, one of each")
    kind = members.dtype or ("float32" if members.are_embedded else "auto")
    return Measured(
        title="The embedded family" if members.are_embedded else "The given trio",
        paths={role: str(member) for role, member in by_role.items()},
        dtype=default_dtype("cpu") if kind == "auto" else kind,
    )


def _built(folder: Path, agreement: float, dtype: str | None) -> Measured:
    """In bfloat16, as large models are stored, unless told."""
    from eft_integrations.benchmark.synthetic import build_trio
    from eft_integrations.engine.worker import apart

    kind = "bfloat16" if dtype is None or dtype == "auto" else dtype
    return Measured(
        title=f"Synthetic trio, agreement {agreement:g}, {kind}",
        paths=apart(lambda: build_trio(folder, agreement, dtype=kind)),
        dtype=kind,
        has_words=False,
    )
