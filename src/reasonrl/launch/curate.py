"""Build a training set as a recipe says, in its own directory; a stopped build can be continued."""

from __future__ import annotations

from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.curation.build import run_build
from reasonrl.curation.lookup import examples, failures, last_rows, last_uids
from reasonrl.curation.manifest import Manifest, read_manifest
from reasonrl.curation.ratings.quality import read_agreement
from reasonrl.curation.recipe import DataRecipe
from reasonrl.curation.resume import Build
from reasonrl.errors import ConfigError, StorageError
from reasonrl.launch.meter import open_meter
from reasonrl.report.data.bars import render_funnel
from reasonrl.report.data.page import Judged, render_page, render_readme
from reasonrl.report.data.sheet import read_answers, render_sheet, render_table
from reasonrl.run.process import only_process
from reasonrl.seeds import derive_seed
from reasonrl.terminal import Console

_SHOWN_REASONS = (
    "contaminated", "near-duplicate", "renumbered", "duplicate", "answers-conflict",
    "solution-disagrees", "reference-fails", "unreadable-answer", "several-parts", "broken",
)  # fmt: skip
_EXAMPLES = 20
SHEET = "sheet.csv"


def curate(recipe: DataRecipe, directory: Path, console: Console) -> Manifest:
    """Build the training set and return its manifest."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot be made: {error.strerror}", where=str(directory), remedy="pass another --out"
        ) from error
    with only_process(directory):
        run_build(
            Build(
                recipe=recipe,
                directory=directory,
                phase=console.phase,
                note=console.note,
                open_meter=lambda config: open_meter(config, directory, console, seed=recipe.seed),
            )
        )
        return write_card(directory)


def write_card(directory: Path) -> Manifest:
    """Write README.md, funnel.svg and card.html of a finished build, and return its manifest."""
    manifest = read_manifest(directory)
    hits = examples(directory, _SHOWN_REASONS, _EXAMPLES)
    license_id = str(manifest.recipe["license"])
    spread = failures(directory)
    judged = Judged(judges=read_agreement(directory), people=_people(directory))
    write_atomic(directory / "README.md", render_readme(manifest, license_id, judged, spread))
    write_atomic(directory / "funnel.svg", render_funnel(manifest.steps))
    write_atomic(directory / "card.html", render_page(manifest, hits, spread))
    return manifest


def write_sheet(directory: Path, n: int) -> int:
    """Write sheet.html and sheet.csv with n kept problems, always the same; return their number.

    An existing CSV is never replaced: a person may have filled it.
    """
    manifest, rows = read_manifest(directory), last_rows(directory)
    chosen = sorted(rows, key=lambda row: derive_seed("sheet", row.uid))[:n]
    table = directory / SHEET
    if table.exists():
        raise ConfigError(
            "this sheet exists, and may be filled",
            where=str(table),
            remedy="move it away, then rerun the command",
        )
    write_atomic(directory / "sheet.html", render_sheet(manifest.name, chosen))
    write_atomic(table, render_table(chosen))
    return len(chosen)


def _people(directory: Path) -> dict[str, tuple[int, int]]:
    """Return the answers of people on the sheet, by question: counts of yes and of all."""
    path = directory / SHEET
    if not path.exists():
        return {}
    known = last_uids(directory)
    return {
        question: counts
        for question, counts in read_answers(
            path.read_text(encoding="utf-8-sig", errors="replace"), known
        ).items()
        if counts[1]
    }
