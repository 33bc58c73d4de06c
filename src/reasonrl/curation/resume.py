"""A build under way: run each step from its first unfinished chunk, or not at all if it is done.

A step function of `build` passes `Build.run_step` its settings and a function `work`. `run_step`
calls `work` only if the step is not yet done with these settings on this input. `work` takes the
chunks from `unfinished`, has `make_chunks` make them, and returns the reports of all chunks. Knows
no step; `steps` makes one chunk and `store` keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from reasonrl.curation.ratings.difficulty import OpenMeter
from reasonrl.curation.recipe import DataRecipe
from reasonrl.curation.rows import hash_of
from reasonrl.curation.steps import Chunk
from reasonrl.curation.store import STEPS, ChunkReport, StepFolder, StepReport
from reasonrl.curation.workers import run_all
from reasonrl.types import Phase

Job = TypeVar("Job")
Done = TypeVar("Done")

ORDER = ("read", "clean", "answers", "dedup", "decontaminate", "difficulty", "quality")
VERSIONS = dict.fromkeys(ORDER, 2)
"""Raise a step's number when its code changes what it keeps: builds then make that step again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A build: its recipe and directory, its progress display, and the model that is measured.

    `phase` opens a progress bar of a name and a length, `note` prints a line, and `open_meter`
    starts the model of the step difficulty.
    """

    recipe: DataRecipe
    directory: Path
    phase: Phase
    note: Callable[[str], None]
    open_meter: OpenMeter

    def folder(self, step: str) -> StepFolder:
        return StepFolder(self.directory / STEPS / f"{ORDER.index(step) + 1}-{step}")

    def run_step(
        self, name: str, settings: object, work: Callable[[StepFolder], list[ChunkReport]]
    ) -> StepReport:
        """Return the report of a step, and do its `work` first unless it is done.

        A step is done when its folder was finished by the same code version with the same settings,
        which include the digest of its input.
        """
        folder, identity = self.folder(name), hash_of([name, VERSIONS[name], settings])
        if (done := folder.done_as(identity)) is not None:
            return done
        folder.begin(identity)
        report = folder.finish(name, identity, work(folder))
        counts = report.counts
        reasons = f" ({counts.why()})" if counts.n_dropped else ""
        noted = f"; {counts.noted()}" if counts.noted() else ""
        self.note(f"{name}: {counts.n_kept:,} kept, {counts.n_dropped:,} dropped{reasons}{noted}")
        return report

    def chunks(self, folder: StepFolder, before: StepReport) -> list[Chunk]:
        """Return all chunks of a step: those of the step before it."""
        source = self.folder(before.counts.name).directory
        return [Chunk(folder=folder.directory, key=key, source=source) for key in before.chunks]

    def unfinished(self, folder: StepFolder, before: StepReport) -> list[Chunk]:
        """Return the chunks of a step that have no report yet."""
        return [chunk for chunk in self.chunks(folder, before) if folder.report(chunk.key) is None]

    def run(self, name: str, work: Callable[[Job], Done], jobs: Sequence[Job]) -> list[Done]:
        """Run `work` on every job, in parallel processes, under a progress bar."""
        with self.phase(name, len(jobs)) as count:
            return run_all(work, jobs, workers=self.recipe.workers, count=count)

    def make_chunks(
        self,
        name: str,
        work: Callable[[Job], ChunkReport],
        jobs: Sequence[Job],
        before: StepReport,
        folder: StepFolder,
    ) -> list[ChunkReport]:
        """Run `work` on the jobs, which are the unfinished chunks; return the reports of all."""
        self.run(name, work, jobs)
        return all_reports(folder, before)


def all_reports(folder: StepFolder, before: StepReport) -> list[ChunkReport]:
    """Return the reports of all chunks of a step, in order, whichever process made them."""
    reports = [folder.report(key) for key in before.chunks]
    return [report for report in reports if report is not None]
