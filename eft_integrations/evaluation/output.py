"""What a run leaves behind for people: report.md, report.json, and the pictures."""

from __future__ import annotations

from collections.abc import Mapping

from eft_integrations.errors import InvalidRequest, LoadError
from eft_integrations.evaluation.plots import draw
from eft_integrations.evaluation.report import Report, as_json, as_markdown
from eft_integrations.evaluation.run import Run, versions
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
    began, now = run.folder.versions(), versions()
    if began != now:
        notes.append(f"answers begun with {_spelled(began)}; this page is of {_spelled(now)}")
    report = Report(
        summary=summary,
        manifest=run.manifest,
        versions=began,
        judge=None if run.judge is None else f"{run.judge.model} at {run.judge.url}",
        pictures=pictures,
        notes=notes,
    )
    try:
        (folder / "report.md").write_text(as_markdown(report), encoding="utf-8")
        (folder / "report.json").write_text(as_json(report), encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(
            f"cannot write the report into {folder}: {error}; the answers are kept: run again"
        ) from error
    return report


def _spelled(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
