"""Run the arms of studies: several at a time, each in a process, resumed where it was stopped.

The miniature of a seed is built while the runs of the seed before it are made.

A run has an ordinary run directory. The directory's name is made of arm, seed and a hash of the
recipe, so that a changed arm is another run, and a finished run is never made again.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from reasonrl.errors import ConfigError
from reasonrl.lab.miniature import Spec, ensure, is_built
from reasonrl.launch.train import resume, train
from reasonrl.models.fetch import cache_dir
from reasonrl.recipe import Recipe
from reasonrl.report.drawing.scale import duration_text
from reasonrl.run.layout import PAGE, SUMMARY, is_run
from reasonrl.studies.arm import Arm
from reasonrl.studies.bases import Base
from reasonrl.studies.measures import mean
from reasonrl.studies.processes import ChildTask, Ended, work_off
from reasonrl.studies.reading import is_made_elsewhere, origin_here, read_record
from reasonrl.studies.record import RunOrigin, RunRecord
from reasonrl.terminal import Console

_LOG = "log.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run to make: an arm with a seed, its recipe, and its directory.

    `spec` is the definition of the miniature that it starts from; None on a recipe.
    """

    arm: Arm
    seed: int
    recipe: Recipe
    directory: Path
    spec: Spec | None

    @property
    def is_finished(self) -> bool:
        return (self.directory / SUMMARY).exists()

    @property
    def page(self) -> str:
        """Return the address of the run's page, seen from the directory of the studies."""
        return f"runs/{self.directory.name}/{PAGE}"

    def record(self) -> RunRecord:
        """Read the record that the run wrote."""
        suites = self.recipe.suite
        return read_record(self.directory, suites[0].name if suites else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of the work: the errors of the failed runs, and the number of runs left to make."""

    failures: dict[str, str]
    is_stopped: bool
    left: int


def jobs_of(
    arms: Sequence[tuple[Arm, int]],
    base: Base,
    out: Path,
    *,
    spec: Spec | None = None,
    first_seed: int = 1,
) -> list[Job]:
    """Return the runs of arms, each arm with its number of seeds.

    The first seeds of all arms come first.
    """
    most = max((seeds for _, seeds in arms), default=0)
    return [
        _job(arm, first_seed + number, base, out, spec)
        for number in range(most)
        for arm, seeds in arms
        if number < seeds
    ]


def _job(arm: Arm, seed: int, base: Base, out: Path, spec: Spec | None = None) -> Job:
    recipe = base(arm, seed)
    # The place of the cache must not change the hash.
    text = recipe.model_dump_json().replace(str(cache_dir()), "")
    key = hashlib.sha256(text.encode()).hexdigest()[:8]
    directory = out / "runs" / f"{arm.name}-seed-{seed}-{key}"
    return Job(arm=arm, seed=seed, recipe=recipe, directory=directory, spec=spec)


def finished_jobs(arms: Iterable[Arm], base: Base, out: Path, *, first_seed: int = 1) -> list[Job]:
    """Return every finished run in a directory with the present recipe of one of the arms.

    Runs with seeds below `first_seed` are left out.
    """
    finished = []
    for arm in arms:
        for seed in sorted(seed for seed in _seeds_of(arm, out) if seed >= first_seed):
            try:
                job = _job(arm, seed, base, out)
            except ConfigError:  # the arm needs problems that this base does not have
                continue
            if job.is_finished:
                finished.append(job)
    return finished


def _seeds_of(arm: Arm, out: Path) -> set[int]:
    pattern = re.compile(re.escape(arm.name) + r"-seed-(\d+)-[0-9a-f]{8}")
    names = (pattern.fullmatch(path.name) for path in (out / "runs").glob(f"{arm.name}-seed-*"))
    return {int(match[1]) for match in names if match}


def read_records(jobs: Sequence[Job]) -> dict[tuple[str, int], RunRecord]:
    """Return the records of the finished runs, by arm and seed."""
    return {(job.arm.name, job.seed): job.record() for job in jobs if job.is_finished}


def run_jobs(
    jobs: Sequence[Job], console: Console, *, workers: int, budget_s: float | None
) -> Ending:
    """Make the runs that are not finished; start no run after `budget_s` seconds.

    Raises ModelError, before the first run, when a miniature in the cache is damaged.
    """
    by_name = {job.directory.name: job for job in jobs if not job.is_finished}
    tasks = _tasks(list(by_name.values()), console)
    progress = _Progress(console, n_done=len(jobs) - len(by_name), n=len(jobs), workers=workers)
    failures: dict[str, str] = {}
    started = time.monotonic()

    def may_begin() -> bool:
        return budget_s is None or time.monotonic() - started < budget_s

    def on_end(end: Ended) -> None:
        job = by_name.get(end.task.name)
        if end.error:
            failures[end.task.name] = end.error
            progress.failed(end)
        elif job is None:
            progress.built(end)
        elif job.is_finished:
            progress.finished(job, end.seconds)

    is_stopped = not work_off(tasks, workers=workers, may_begin=may_begin, on_end=on_end)
    progress.ended(time.monotonic() - started)
    left = sum(not job.is_finished for job in jobs)
    return Ending(failures={} if is_stopped else failures, is_stopped=is_stopped, left=left)


def _tasks(jobs: Sequence[Job], console: Console) -> list[ChildTask]:
    """Return the tasks of runs, after those that build the miniatures which the cache lacks.

    The miniature of a seed is built before the runs of the seed before it, which it can overtake.
    """
    place = {seed: number for number, seed in enumerate(sorted({job.seed for job in jobs}))}
    builds = _builds(jobs, console)
    here = origin_here()
    placed = [(place[seed] - 1, task) for (_, seed), task in builds.items()]
    for job in jobs:
        build = builds.get((job.spec, job.seed))
        run = ChildTask(
            name=job.directory.name,
            function=_run,
            given=(job.recipe, job.directory, here),
            log=job.directory / _LOG,
            after=frozenset({build.name} if build else ()),
        )
        placed.append((place[job.seed], run))
    return [task for _, task in sorted(placed, key=lambda one: one[0])]


def _builds(jobs: Sequence[Job], console: Console) -> dict[tuple[Spec | None, int], ChildTask]:
    """Return the tasks that build miniatures, by definition and seed; check those in the cache."""
    builds: dict[tuple[Spec | None, int], ChildTask] = {}
    needed = ((job.spec, job.seed, job.directory.parent.parent) for job in jobs)
    for spec, seed, out in dict.fromkeys(needed):
        if spec is None:
            continue
        if is_built(spec, seed):
            ensure(spec, seed, console)  # raises if a file is damaged
            continue
        kind = spec.world.kind
        builds[spec, seed] = ChildTask(
            name=f"miniature {seed} of {kind}",
            function=_ensure,
            given=(spec, seed),
            log=out / f"miniature-{kind}-{seed}.log",
        )
    return builds


def _ensure(spec: Spec, seed: int) -> None:
    ensure(spec, seed, Console())


def _run(recipe: Recipe, directory: Path, here: RunOrigin) -> None:
    """Start or resume a run; a run that other code or another machine began is begun again.

    `here` is the origin that the study began with. Raises ConfigError if the code is another now.
    """
    if origin_here() != here:
        raise ConfigError(
            f"the code is no longer {here.commit}, with which this study began",
            remedy="check that commit out and rerun the command, or rerun it with the code of now",
        )
    if is_run(directory) and is_made_elsewhere(directory):
        print("begun by another commit or on another machine: it begins again")
        for path in directory.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _LOG:
                path.unlink()
    if is_run(directory):
        resume(directory, Console())
    else:
        train(recipe, directory, Console())


class _Progress:
    """Tell which runs have ended, and about how long the rest will take."""

    def __init__(self, console: Console, *, n_done: int, n: int, workers: int) -> None:
        self._console, self._done, self._n, self._workers = console, n_done, n, workers
        self._times: list[float] = []
        console.note(f"{n_done} of {n} runs are finished")

    def finished(self, job: Job, seconds: float) -> None:
        self._done += 1
        self._times.append(seconds)
        record = job.record()
        scores = record.scores(record.headline)
        score = f", score {scores[-1].value:.3f}" if scores else ""
        left_s = mean(self._times) * (self._n - self._done) / self._workers
        self._console.note(
            f"[{self._done}/{self._n}] {job.arm.name} seed {job.seed}: "
            f"{duration_text(seconds)}{score}; about {duration_text(left_s)} left"
        )

    def ended(self, seconds: float) -> None:
        if self._times:
            self._console.note(
                f"{len(self._times)} runs in {duration_text(seconds)}, {self._workers} side by "
                f"side; a run takes {duration_text(median(self._times))} in the median"
            )

    def built(self, end: Ended) -> None:
        self._console.note(f"{end.task.name} is built ({duration_text(end.seconds)})")

    def failed(self, end: Ended) -> None:
        self._console.note(f"{end.task.name} failed: {end.error}; see {end.task.log}")
