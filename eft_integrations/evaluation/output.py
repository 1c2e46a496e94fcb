"""What a run leaves behind for people: report.md, report.json, and the pictures."""

from __future__ import annotations

from importlib.metadata import version

from eft_integrations import __version__
from eft_integrations.errors import LoadError
from eft_integrations.evaluation.plots import draw
from eft_integrations.evaluation.report import Report, as_json, as_markdown
from eft_integrations.evaluation.run import Run
from eft_integrations.evaluation.summary import Summary


def publish(run: Run, summary: Summary) -> Report:
    """Write them into the run's folder. Without matplotlib there are no pictures, and a note."""
    folder = run.folder.path
    notes: list[str] = []
    pictures: list[str] = []
    try:
        pictures = draw(summary, run.lineup, folder)
    except LoadError as error:
        notes.append(f"no pictures: {error}")
    report = Report(
        summary=summary,
        manifest=run.manifest,
        versions=versions(),
        pictures=pictures,
        notes=notes,
    )
    (folder / "report.md").write_text(as_markdown(report), encoding="utf-8")
    (folder / "report.json").write_text(as_json(report), encoding="utf-8")
    return report


def versions() -> dict[str, str]:
    """Of this package, and of those that a number may depend on."""
    others = {name: version(name) for name in ("torch", "transformers", "numpy")}
    return {"eft-integrations": __version__, **others}
