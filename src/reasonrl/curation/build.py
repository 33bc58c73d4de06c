"""From a recipe to a training set: the steps in their order, each resumed where it was left.

    read -> clean -> answers -> dedup -> decontaminate -> difficulty -> quality -> publish

Reads like the list of what is done; `steps` does it to one chunk, `store` keeps it. Called by
`launch` and the benchmarks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from reasonrl.curation import steps
from reasonrl.curation.answers import is_tests
from reasonrl.curation.likeness import fingerprints
from reasonrl.curation.likeness.dedup import Match, find_duplicates
from reasonrl.curation.likeness.protected import load_protected
from reasonrl.curation.likeness.semantic import find_same_meaning
from reasonrl.curation.manifest import Manifest, write_manifest
from reasonrl.curation.publish import check_mix, publish
from reasonrl.curation.ratings.difficulty import (
    OpenMeter,
    attempts_directory,
    keep_weights,
    open_attempts,
)
from reasonrl.curation.ratings.endpoint import Judges
from reasonrl.curation.ratings.quality import (
    AGREEMENT,
    agreement,
    read_votes,
    votes_directory,
    write_agreement,
)
from reasonrl.curation.recipe import HOW, DataRecipe
from reasonrl.curation.rows import Candidate, Fault, digest, hash_of, read_column, write_kept
from reasonrl.curation.sources.files import source_files
from reasonrl.curation.sources.read import ReadJob, check_read, read_source
from reasonrl.curation.store import STEPS, ChunkReport, StepFolder, StepReport, files_digest
from reasonrl.curation.workers import run_all
from reasonrl.errors import DataError
from reasonrl.types import Phase

Job = TypeVar("Job")
Done = TypeVar("Done")

ORDER = ("read", "clean", "answers", "dedup", "decontaminate", "difficulty", "quality")
_VERSIONS = dict.fromkeys(ORDER, 2)
"""Raised when a step's code changes what it keeps: builds that were begun make it anew."""

_TEXT_SETTINGS = {"allow", "max_chars"}  # of the recipe's `clean`; the others are of answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Hold what is being built and where, how a person sees it, and who samples answers."""

    recipe: DataRecipe
    directory: Path
    phase: Phase
    note: Callable[[str], None]
    open_meter: OpenMeter

    def folder(self, step: str) -> StepFolder:
        return StepFolder(self.directory / STEPS / f"{ORDER.index(step) + 1}-{step}")

    def run(self, name: str, work: Callable[[Job], Done], jobs: Sequence[Job]) -> list[Done]:
        """Do the jobs of a step side by side, and show how far it is."""
        with self.phase(name, len(jobs)) as count:
            return run_all(work, jobs, workers=self.recipe.workers, count=count)


def build(one: Build) -> Manifest:
    """Make the training set, and return what it is made of."""
    protected = load_protected(one.recipe.protected)
    if not protected:
        one.note("no [[protected]] in the recipe: nothing is kept away from any benchmark")
    report = _read(one)
    check_mix(one.recipe.publish, report.counts.kept.keys())
    decontaminate = partial(_decontaminate, protected=protected)
    for step in (_clean, _answers, _dedup, decontaminate, _difficulty, _quality):
        report = step(one, report)
    _drop_other_steps(one)
    published = publish(
        one.folder(report.counts.name),
        report.chunks,
        one.directory / "data",
        one.recipe.publish,
        seed=one.recipe.seed,
    )
    return write_manifest(one.directory, one.recipe, published)


# the steps


def _read(one: Build) -> StepReport:
    with one.phase("fetch", len(one.recipe.source)) as count:
        files = []
        for source in one.recipe.source:
            files.append(source_files(source))
            count(1)
    settings = [
        {**source.model_dump(mode="json", exclude={"path"}), "files": files_digest(some)}
        for source, some in zip(one.recipe.source, files, strict=True)
    ]

    def work(folder: StepFolder) -> list[ChunkReport]:
        jobs = [
            ReadJob(folder=folder.directory, number=number, source=source, files=tuple(some))
            for number, (source, some) in enumerate(zip(one.recipe.source, files, strict=True))
        ]
        by_source = one.run("read", read_source, jobs)
        for job, reports in zip(jobs, by_source, strict=True):
            check_read(job, reports)
        if not any(by_source):
            raise DataError("no rows in any source", where=one.recipe.name)
        return [report for reports in by_source for report in reports]

    return _step(one, "read", settings, work)


def _clean(one: Build, before: StepReport) -> StepReport:
    settings = one.recipe.clean.model_dump(mode="json", include=_TEXT_SETTINGS)
    return _by_row(one, before, "clean", steps.clean_chunk, settings)


def _answers(one: Build, before: StepReport) -> StepReport:
    settings = one.recipe.clean.model_dump(mode="json", exclude=_TEXT_SETTINGS)
    return _by_row(one, before, "answers", steps.answers_chunk, settings)


def _by_row(
    one: Build,
    before: StepReport,
    name: str,
    judge: Callable[[steps.CleanJob], ChunkReport],
    settings: object,
) -> StepReport:
    """Do a step that looks at each row alone."""

    def work(folder: StepFolder) -> list[ChunkReport]:
        config = one.recipe.clean
        jobs = [steps.CleanJob(chunk=chunk, config=config) for chunk in _open(one, folder, before)]
        return _chunks(one, name, judge, jobs, before, folder)

    return _step(one, name, [settings, before.counts.digest], work)


def _dedup(one: Build, before: StepReport) -> StepReport:
    config = one.recipe.dedup

    def work(folder: StepFolder) -> list[ChunkReport]:
        chunks = _open(one, folder, before, every=True)
        paths = one.run("fingerprint", steps.fingerprint_chunk, chunks)
        uids, answers, lengths = _columns(chunks)
        with one.phase("compare", 1) as count:
            matches = find_duplicates(
                fingerprints.joined([fingerprints.load(path) for path in paths]),
                answers,
                near=config.near,
                renumbered=config.renumbered,
            )
            count(1)
        if config.semantic is not None:
            texts = [row.problem for chunk in chunks for row in chunk.rows()]
            with one.phase("meaning", 1) as count:
                matches |= find_same_meaning(texts, answers, matches, config.semantic)
                count(1)
        faults = _by_chunk(matches, uids, lengths)
        jobs = [
            steps.FaultsJob(chunk=chunk, faults=found)
            for chunk, found in zip(chunks, faults, strict=True)
            if folder.report(chunk.key) is None
        ]
        return _chunks(one, "dedup", steps.faults_chunk, jobs, before, folder)

    return _step(one, "dedup", [config.model_dump(mode="json"), before.counts.digest], work)


def _decontaminate(one: Build, before: StepReport, *, protected: Sequence[Candidate]) -> StepReport:
    config = one.recipe.decontaminate

    def work(folder: StepFolder) -> list[ChunkReport]:
        known = folder.directory / f"protected-{digest(protected)}.parquet"
        write_kept(known, protected)
        chunks = _open(one, folder, before)
        if not protected:
            jobs = [steps.FaultsJob(chunk=chunk, faults={}) for chunk in chunks]
            return _chunks(one, "decontaminate", steps.faults_chunk, jobs, before, folder)
        one.run("fingerprint", steps.fingerprint_chunk, chunks)
        asked = [
            steps.ProtectedJob(
                chunk=chunk,
                fingerprints=steps.fingerprint_path(folder.directory, chunk.key),
                protected=known,
                config=config,
            )
            for chunk in chunks
        ]
        return _chunks(one, "decontaminate", steps.decontaminate_chunk, asked, before, folder)

    settings = [config.model_dump(mode="json"), digest(protected), before.counts.digest]
    return _step(one, "decontaminate", settings, work)


def _difficulty(one: Build, before: StepReport) -> StepReport:
    config = one.recipe.difficulty
    if config is None:
        return before

    def work(folder: StepFolder) -> list[ChunkReport]:
        chunks = _open(one, folder, before)
        with (
            one.open_meter(config) as meter,
            one.phase("difficulty", before.counts.n_kept) as count,
        ):
            keep_weights(folder.directory, meter.weights)
            paid = attempts_directory(one.directory, config, meter.weights, one.recipe.seed)
            with open_attempts(paid) as known:
                for chunk in chunks:
                    steps.difficulty_chunk(chunk, config, meter, known, paid, count)
        return _reports(folder, before)

    settings = config.model_dump(mode="json", exclude=HOW["difficulty"])
    return _step(one, "difficulty", [settings, one.recipe.seed, before.counts.digest], work)


def _quality(one: Build, before: StepReport) -> StepReport:
    config = one.recipe.quality
    if config is None:
        return before

    def work(folder: StepFolder) -> list[ChunkReport]:
        judges, votes = Judges(config), votes_directory(one.directory, config)
        with one.phase("judge", before.counts.n_kept) as count:
            for chunk in _open(one, folder, before):
                steps.quality_chunk(chunk, config, judges, votes, count)
        found = agreement(
            vote for key in before.chunks for vote in read_votes(votes / f"{key}.jsonl")
        )
        write_agreement(one.directory, found)
        return _reports(folder, before)

    settings = config.model_dump(mode="json", exclude=HOW["quality"])
    return _step(one, "quality", [settings, before.counts.digest], work)


def _drop_other_steps(one: Build) -> None:
    """Delete steps that an earlier recipe had, so that card and counts are of this one."""
    unused = {"difficulty": one.recipe.difficulty is None, "quality": one.recipe.quality is None}
    for name in [name for name, is_unused in unused.items() if is_unused]:
        shutil.rmtree(one.folder(name).directory, ignore_errors=True)
    if one.recipe.quality is None:
        (one.directory / AGREEMENT).unlink(missing_ok=True)


# what all steps do alike


def _step(
    one: Build,
    name: str,
    settings: object,
    work: Callable[[StepFolder], list[ChunkReport]],
) -> StepReport:
    """Do a step unless it is done with these settings on this input."""
    folder, identity = one.folder(name), hash_of([name, _VERSIONS[name], settings])
    if (done := folder.done_as(identity)) is not None:
        return done
    folder.begin(identity)
    report = folder.finish(name, identity, work(folder))
    counts = report.counts
    why = f" ({counts.why()})" if counts.n_dropped else ""
    noted = f"; {counts.noted()}" if counts.noted() else ""
    one.note(f"{name}: {counts.n_kept:,} kept, {counts.n_dropped:,} dropped{why}{noted}")
    return report


def _open(
    one: Build, folder: StepFolder, before: StepReport, *, every: bool = False
) -> list[steps.Chunk]:
    """Return the chunks that are still to be made, or `every` one."""
    earlier = one.folder(before.counts.name).directory
    return [
        steps.Chunk(folder=folder.directory, key=key, source=earlier)
        for key in before.chunks
        if every or folder.report(key) is None
    ]


def _chunks(
    one: Build,
    name: str,
    work: Callable[[Job], ChunkReport],
    jobs: Sequence[Job],
    before: StepReport,
    folder: StepFolder,
) -> list[ChunkReport]:
    """Make the open chunks and return the reports of all, in order."""
    one.run(name, work, jobs)
    return _reports(folder, before)


def _reports(folder: StepFolder, before: StepReport) -> list[ChunkReport]:
    reports = [folder.report(key) for key in before.chunks]
    return [report for report in reports if report is not None]


def _columns(chunks: Sequence[steps.Chunk]) -> tuple[list[str], list[str], list[int]]:
    """Return ids and answers of all rows, and how many rows each chunk has."""
    uids: list[str] = []
    answers: list[str] = []
    lengths = []
    for chunk in chunks:
        path = StepFolder(chunk.source).kept(chunk.key)
        some = read_column(path, "uid")
        uids += some
        answers += [_short(answer) for answer in read_column(path, "answer")]
        lengths.append(len(some))
    return uids, answers, lengths


def _short(answer: str) -> str:
    """Return an answer, or for the tests of a program a stand-in: only their equality counts."""
    return f"{{{hash_of(answer)}}}" if is_tests(answer) else answer


def _by_chunk(
    matches: Mapping[int, Match], uids: Sequence[str], lengths: Sequence[int]
) -> list[dict[int, Fault]]:
    starts = np.cumsum([0, *lengths])
    faults: list[dict[int, Fault]] = [{} for _ in lengths]
    for row, match in sorted(matches.items()):
        chunk = int(np.searchsorted(starts, row, side="right")) - 1
        faults[chunk][row - int(starts[chunk])] = Fault(
            reason=match.reason, other=uids[match.other], similarity=match.similarity
        )
    return faults
