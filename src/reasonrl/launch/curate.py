"""Build a training set as a recipe says, in a directory of its own, resumable at any instant."""

from __future__ import annotations

from pathlib import Path

from reasonrl.atomic import write_atomic
from reasonrl.console import Console
from reasonrl.curation.build import Build, build
from reasonrl.curation.lookup import dropped_rows
from reasonrl.curation.manifest import Manifest, read_manifest
from reasonrl.curation.recipe import DataRecipe
from reasonrl.errors import StorageError
from reasonrl.launch.meter import open_meter
from reasonrl.launch.process import only_process
from reasonrl.report.data_page import render_funnel, render_page, render_readme

_SHOWN_REASONS = (
    "contaminated", "near-duplicate", "renumbered", "duplicate", "answers-conflict",
    "solution-disagrees", "reference-fails", "unreadable-answer", "several-parts", "broken",
)  # fmt: skip
_EXAMPLES = 20


def curate(recipe: DataRecipe, directory: Path, console: Console) -> Manifest:
    """Make the training set, and return what it is made of."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot be made: {error.strerror}", where=str(directory), remedy="choose another --out"
        ) from error
    with only_process(directory):
        build(
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
    hits = {
        reason: found
        for reason in _SHOWN_REASONS
        if (found := dropped_rows(directory, reason=reason, limit=_EXAMPLES))
    }
    license_id = str(manifest.recipe["license"])
    write_atomic(directory / "README.md", render_readme(manifest, license_id))
    write_atomic(directory / "funnel.svg", render_funnel(manifest))
    write_atomic(directory / "card.html", render_page(manifest, hits))
    return manifest
