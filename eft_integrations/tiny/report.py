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
from eft_integrations.tiny.measure import Score, Term, score, upscaled

ALPHAS = (0.5, 1.0, 1.5)
_log = logging.getLogger("eft_integrations")


def mixtures() -> dict[str, tuple[Term, ...]]:
    """Every row of the table: single members, then the up-scaled model over alpha."""
    base, tuned, reference = map(model_of, ("base", "tuned", "reference"))
    alone = {"reference": reference, "tuned": tuned, "base (alpha 0)": base}
    rows = {name: (Term(model, 1.0),) for name, model in alone.items()}
    up = {f"up-scaled, alpha {a}": upscaled(base, tuned, reference, a) for a in ALPHAS}
    return rows | up


def question_sets() -> dict[str, Sequence[Question]]:
    """Held-out facts as a whole and by wording; the dev split, which may guide choices."""
    heldout = heldout_questions()
    return {
        "heldout": heldout,
        "heldout, first 100": heldout[:100],
        "heldout, wordings apart": [q for q in heldout if q.is_apart],
        "dev": dev_questions(),
    }


def _measure(num_items: int | None) -> Iterator[tuple[str, str, Score]]:
    tokenizer = tokenizer_of("base")
    for name, terms in mixtures().items():
        for split, asked in question_sets().items():
            found = score(terms, tokenizer, asked[:num_items])
            _log.info("%s | %s | %s", name, split, _cells(found))
            yield name, split, found


def _cells(found: Score) -> str:
    fact = f"{found.fact:.3f} ± {found.margin(found.fact):.3f}"
    return f"fact {fact} | format {found.form:.3f} ± {found.margin(found.form):.3f}"


def report(path: Path, num_items: int | None = None) -> None:
    """Measure every mixture on every question set and write the shares to `path`."""
    measured: dict[str, dict[str, dict[str, float]]] = {}
    for name, split, found in _measure(num_items):
        cell = {"fact": found.fact, "format": found.form, "num_items": found.num_items}
        measured.setdefault(split, {})[name] = cell
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
