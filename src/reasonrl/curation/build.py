"""From a recipe to a training set: the steps in their order.

    read -> clean -> answers -> dedup -> decontaminate -> difficulty -> quality -> publish

`run_build` calls one function for each step. Each function names the step's settings and the work
on its chunks; `resume` runs only the work that is not yet done.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from reasonrl.curation import steps
from reasonrl.curation.answers import is_tests
from reasonrl.curation.likeness import fingerprints
from reasonrl.curation.likeness.dedup import Match, find_duplicates
from reasonrl.curation.likeness.protected import load_protected
from reasonrl.curation.likeness.semantic import find_same_meaning
from reasonrl.curation.manifest import Manifest, write_manifest
from reasonrl.curation.publish import check_mix, publish
from reasonrl.curation.ratings.difficulty import attempts_directory, keep_weights, open_attempts
from reasonrl.curation.ratings.quality import (
    AGREEMENT,
    agreement,
    read_votes,
    votes_directory,
    write_agreement,
)
from reasonrl.curation.ratings.votes import Judges
from reasonrl.curation.recipe import HOW
from reasonrl.curation.resume import Build, all_reports
from reasonrl.curation.rows import Candidate, Fault, digest, hash_of, read_column, write_kept
from reasonrl.curation.sources.files import source_files
from reasonrl.curation.sources.read import ReadJob, check_read, read_source
from reasonrl.curation.store import ChunkReport, StepFolder, StepReport, files_digest
from reasonrl.errors import DataError

_TEXT_SETTINGS = {"allow", "max_chars"}
"""The keys of the recipe's table `clean` that the step clean uses; answers uses the other keys."""


def run_build(build: Build) -> Manifest:
    """Make the training set and return its manifest."""
    protected = load_protected(build.recipe.protected)
    if not protected:
        build.note("no [[protected]] in the recipe: rows are not compared with any benchmark")
    report = _read(build)
    check_mix(build.recipe.publish, report.counts.kept.keys())
    decontaminate = partial(_decontaminate, protected=protected)
    for step in (_clean, _answers, _dedup, decontaminate, _difficulty, _quality):
        report = step(build, report)
    _drop_other_steps(build)
    published = publish(
        build.folder(report.counts.name),
        report.chunks,
        build.directory / "data",
        build.recipe.publish,
        seed=build.recipe.seed,
    )
    return write_manifest(build.directory, build.recipe, published)


# The steps, in order.


def _read(build: Build) -> StepReport:
    with build.phase("fetch", len(build.recipe.source)) as count:
        files = []
        for source in build.recipe.source:
            files.append(source_files(source))
            count(1)
    settings = [
        {**source.model_dump(mode="json", exclude={"path"}), "files": files_digest(paths)}
        for source, paths in zip(build.recipe.source, files, strict=True)
    ]

    def work(folder: StepFolder) -> list[ChunkReport]:
        jobs = [
            ReadJob(folder=folder.directory, number=number, source=source, files=tuple(paths))
            for number, (source, paths) in enumerate(zip(build.recipe.source, files, strict=True))
        ]
        by_source = build.run("read", read_source, jobs)
        for job, reports in zip(jobs, by_source, strict=True):
            check_read(job, reports)
        if not any(by_source):
            raise DataError(
                "no rows in any source",
                where=build.recipe.name,
                remedy="check `path` and `type` of every [[source]]",
            )
        return [report for reports in by_source for report in reports]

    return build.run_step("read", settings, work)


def _clean(build: Build, before: StepReport) -> StepReport:
    settings = build.recipe.clean.model_dump(mode="json", include=_TEXT_SETTINGS)
    return _judge_rows(build, before, "clean", steps.clean_chunk, settings)


def _answers(build: Build, before: StepReport) -> StepReport:
    settings = build.recipe.clean.model_dump(mode="json", exclude=_TEXT_SETTINGS)
    return _judge_rows(build, before, "answers", steps.answers_chunk, settings)


def _judge_rows(
    build: Build,
    before: StepReport,
    name: str,
    judge: Callable[[steps.CleanJob], ChunkReport],
    settings: object,
) -> StepReport:
    """Run a step whose `judge` looks at each row alone."""

    def work(folder: StepFolder) -> list[ChunkReport]:
        config = build.recipe.clean
        jobs = [
            steps.CleanJob(chunk=chunk, config=config) for chunk in build.unfinished(folder, before)
        ]
        return build.make_chunks(name, judge, jobs, before, folder)

    return build.run_step(name, [settings, before.counts.digest], work)


def _dedup(build: Build, before: StepReport) -> StepReport:
    config = build.recipe.dedup

    def work(folder: StepFolder) -> list[ChunkReport]:
        chunks = build.chunks(folder, before)
        paths = build.run("fingerprint", steps.fingerprint_chunk, chunks)
        uids, answers, lengths = _columns(chunks)
        with build.phase("compare", 1) as count:
            matches = find_duplicates(
                fingerprints.joined([fingerprints.load(path) for path in paths]),
                answers,
                near=config.near,
                renumbered=config.renumbered,
            )
            count(1)
        if config.semantic is not None:
            texts = [row.problem for chunk in chunks for row in chunk.rows()]
            with build.phase("meaning", 1) as count:
                matches |= find_same_meaning(texts, answers, matches, config.semantic)
                count(1)
        faults = _by_chunk(matches, uids, lengths)
        jobs = [
            steps.FaultsJob(chunk=chunk, faults=chunk_faults)
            for chunk, chunk_faults in zip(chunks, faults, strict=True)
            if folder.report(chunk.key) is None
        ]
        return build.make_chunks("dedup", steps.faults_chunk, jobs, before, folder)

    return build.run_step("dedup", [config.model_dump(mode="json"), before.counts.digest], work)


def _decontaminate(
    build: Build, before: StepReport, *, protected: Sequence[Candidate]
) -> StepReport:
    config = build.recipe.decontaminate

    def work(folder: StepFolder) -> list[ChunkReport]:
        protected_path = folder.directory / f"protected-{digest(protected)}.parquet"
        write_kept(protected_path, protected)
        chunks = build.unfinished(folder, before)
        if not protected:
            unchanged = [steps.FaultsJob(chunk=chunk, faults={}) for chunk in chunks]
            return build.make_chunks("decontaminate", steps.faults_chunk, unchanged, before, folder)
        build.run("fingerprint", steps.fingerprint_chunk, chunks)
        jobs = [
            steps.ProtectedJob(
                chunk=chunk,
                fingerprints=steps.fingerprint_path(folder.directory, chunk.key),
                protected=protected_path,
                config=config,
            )
            for chunk in chunks
        ]
        return build.make_chunks("decontaminate", steps.decontaminate_chunk, jobs, before, folder)

    settings = [config.model_dump(mode="json"), digest(protected), before.counts.digest]
    return build.run_step("decontaminate", settings, work)


def _difficulty(build: Build, before: StepReport) -> StepReport:
    config = build.recipe.difficulty
    if config is None:
        return before

    def work(folder: StepFolder) -> list[ChunkReport]:
        chunks = build.unfinished(folder, before)
        with (
            build.open_meter(config) as meter,
            build.phase("difficulty", before.counts.n_kept) as count,
        ):
            keep_weights(folder.directory, meter.weights)
            directory = attempts_directory(
                build.directory, config, meter.weights, build.recipe.seed
            )
            with open_attempts(directory) as attempts:
                for chunk in chunks:
                    steps.difficulty_chunk(chunk, config, meter, attempts, directory, count)
        return all_reports(folder, before)

    settings = config.model_dump(mode="json", exclude=HOW["difficulty"])
    return build.run_step("difficulty", [settings, build.recipe.seed, before.counts.digest], work)


def _quality(build: Build, before: StepReport) -> StepReport:
    config = build.recipe.quality
    if config is None:
        return before

    def work(folder: StepFolder) -> list[ChunkReport]:
        judges, votes = Judges(config), votes_directory(build.directory, config)
        with build.phase("judge", before.counts.n_kept) as count:
            for chunk in build.unfinished(folder, before):
                steps.quality_chunk(chunk, config, judges, votes, count)
        agreed = agreement(
            vote for key in before.chunks for vote in read_votes(votes / f"{key}.jsonl")
        )
        write_agreement(build.directory, agreed)
        return all_reports(folder, before)

    settings = config.model_dump(mode="json", exclude=HOW["quality"])
    return build.run_step("quality", [settings, before.counts.digest], work)


def _drop_other_steps(build: Build) -> None:
    """Delete steps that only an earlier recipe had: card and counts describe this recipe."""
    unused = {
        "difficulty": build.recipe.difficulty is None,
        "quality": build.recipe.quality is None,
    }
    for name in [name for name, is_unused in unused.items() if is_unused]:
        shutil.rmtree(build.folder(name).directory, ignore_errors=True)
    if build.recipe.quality is None:
        (build.directory / AGREEMENT).unlink(missing_ok=True)


def _columns(chunks: Sequence[steps.Chunk]) -> tuple[list[str], list[str], list[int]]:
    """Return ids and answers of all rows, and the number of rows of each chunk."""
    uids: list[str] = []
    answers: list[str] = []
    lengths = []
    for chunk in chunks:
        path = StepFolder(chunk.source).kept(chunk.key)
        chunk_uids = read_column(path, "uid")
        uids += chunk_uids
        answers += [_short(answer) for answer in read_column(path, "answer")]
        lengths.append(len(chunk_uids))
    return uids, answers, lengths


def _short(answer: str) -> str:
    """Return an answer, or the hash of a program's tests: only the equality of tests matters."""
    return f"{{{hash_of(answer)}}}" if is_tests(answer) else answer


def _by_chunk(
    matches: Mapping[int, Match], uids: Sequence[str], lengths: Sequence[int]
) -> list[dict[int, Fault]]:
    """Return for each chunk the faults of its rows, by row in the chunk; `matches` count rows of
    all chunks."""
    starts = np.cumsum([0, *lengths])
    faults: list[dict[int, Fault]] = [{} for _ in lengths]
    for row, match in sorted(matches.items()):
        chunk = int(np.searchsorted(starts, row, side="right")) - 1
        faults[chunk][row - int(starts[chunk])] = Fault(
            reason=match.reason, other=uids[match.other], similarity=match.similarity
        )
    return faults
