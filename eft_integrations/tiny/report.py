"""Measure the shipped family: `python -m eft_integrations.tiny.report [--num-items N]`.

Writes `data/measured.json` and logs the table that docs/family.md shows. Members are loaded from
the package, so what is measured is what is shipped, after the cast to bfloat16.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from eft_integrations.tiny import Question, dev_questions, heldout_questions, member_path
from eft_integrations.tiny.build import model_of, tokenizer_of
from eft_integrations.tiny.measure import Score, Term, answers, graded, upscaled

ALPHAS = (0.5, 1.0, 1.5)
_log = logging.getLogger("eft_integrations")


def mixtures() -> dict[str, tuple[Term, ...]]:
    """Every row of the table: single members, then the up-scaled model over alpha."""
    base, tuned, reference = map(model_of, ("base", "tuned", "reference"))
    alone = {"reference": reference, "tuned": tuned, "base (alpha 0)": base}
    rows = {name: (Term(model, 1.0),) for name, model in alone.items()}
    up = {f"up-scaled, alpha {a}": upscaled(base, tuned, reference, a) for a in ALPHAS}
    return rows | up


def slices(asked: Sequence[Question]) -> dict[str, list[int]]:
    """Parts of a question set that the table shows apart, as positions in it."""
    return {
        "all": list(range(len(asked))),
        "first 100": list(range(min(100, len(asked)))),
        "wordings apart": [n for n, item in enumerate(asked) if item.is_apart],
    }


def _measure(split: str, asked: Sequence[Question]) -> Iterator[tuple[str, str, Score]]:
    tokenizer = tokenizer_of("base")
    for name, terms in mixtures().items():
        told = answers(terms, tokenizer, [item.question for item in asked])
        for part, chosen in slices(asked).items():
            found = graded([told[n] for n in chosen], [asked[n] for n in chosen])
            _log.info("%s, %s | %s | %s", split, part, name, _cells(found))
            yield f"{split}, {part}", name, found


def _cells(found: Score) -> str:
    fact = f"{found.fact:.3f} ± {found.margin(found.fact):.3f}"
    return f"fact {fact} | format {found.form:.3f} ± {found.margin(found.form):.3f}"


def report(path: Path, num_items: int | None = None) -> None:
    """Measure every mixture on every question set and write the shares to `path`."""
    measured: dict[str, dict[str, dict[str, float]]] = {}
    for split, asked in (("dev", dev_questions()), ("heldout", heldout_questions())):
        for part, name, found in _measure(split, asked[:num_items]):
            cell = {"fact": found.fact, "format": found.form, "num_items": found.num_items}
            measured.setdefault(part, {})[name] = cell
    path.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of `python -m eft_integrations.tiny.report`."""
    parser = argparse.ArgumentParser(prog="python -m eft_integrations.tiny.report")
    parser.add_argument("--num-items", type=int, help="only the first items of each set")
    parser.add_argument("--threads", type=int, default=1)
    default = member_path("base").parents[1] / "data" / "measured.json"
    parser.add_argument("--output", type=Path, default=default)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(arguments.threads)
    report(arguments.output, arguments.num_items)


if __name__ == "__main__":
    main()
