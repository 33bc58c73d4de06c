"""Run the arms of studies: several at a time, each in a process, going on where they were stopped.

A run is a directory like any other; its name says arm, seed and a hash of its recipe, so that a
changed arm is another run and what is finished is never made again. Called by `cli_study`.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from reasonrl.config import Recipe
from reasonrl.console import Console
from reasonrl.evaluation.options import CONFIG
from reasonrl.lab.miniature import Spec, ensure
from reasonrl.launch.train import resume, train
from reasonrl.record import RunRecorder
from reasonrl.studies.arms import Arm
from reasonrl.studies.bases import Base
from reasonrl.studies.measures import RunRecord
from reasonrl.summary import SUMMARY

_LOG = "log.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Hold one run: an arm with a seed, its recipe, and its directory."""

    arm: Arm
    seed: int
    recipe: Recipe
    directory: Path

    @property
    def is_finished(self) -> bool:
        return (self.directory / SUMMARY).exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Say how running ended: what failed and why, and how many runs are left to make."""

    failures: dict[str, str]
    is_stopped: bool
    left: int


def jobs_of(arms: Sequence[tuple[Arm, int]], base: Base, out: Path) -> list[Job]:
    """Return the runs of arms, each with its number of seeds; all arms' first seeds come first."""
    most = max((seeds for _, seeds in arms), default=0)
    return [
        _job(arm, seed, base, out)
        for seed in range(1, most + 1)
        for arm, seeds in arms
        if seed <= seeds
    ]


def _job(arm: Arm, seed: int, base: Base, out: Path) -> Job:
    recipe = base(arm, seed)
    key = hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()[:8]
    directory = out / "runs" / f"{arm.name}-seed-{seed}-{key}"
    return Job(arm=arm, seed=seed, recipe=recipe, directory=directory)


def read_records(jobs: Sequence[Job]) -> dict[tuple[str, int], RunRecord]:
    """Return the records of the finished runs, by arm and seed."""
    return {(job.arm.name, job.seed): read_record(job) for job in jobs if job.is_finished}


def read_record(job: Job) -> RunRecord:
    """Read what a run wrote."""
    recorder = RunRecorder(job.directory)
    return RunRecord(
        rows=recorder.metrics(),
        evaluations=recorder.evaluations(),
        headline=job.recipe.suite[0].name if job.recipe.suite else "",
    )


def build_miniatures(spec: Spec, seeds: Sequence[int], console: Console, *, workers: int) -> None:
    """Build the miniatures that the cache lacks, two minutes each; check the others."""
    with _pool(workers) as pool:
        found = [pool.submit(_ensure, spec, seed) for seed in seeds]
        for seed, future in zip(seeds, found, strict=True):
            future.result()
            console.note(f"miniature with seed {seed} is ready")


def run_jobs(
    jobs: Sequence[Job],
    console: Console,
    *,
    workers: int,
    budget_s: float | None,
) -> Ending:
    """Make the runs that are not finished; begin none after `budget_s` seconds."""
    waiting = [job for job in jobs if not job.is_finished]
    progress = _Progress(console, n_done=len(jobs) - len(waiting), n=len(jobs), workers=workers)
    failures: dict[str, str] = {}
    running: dict[Future[float], Job] = {}
    started = time.monotonic()
    is_stopped = False
    with _pool(workers) as pool:
        try:
            while waiting or running:
                is_late = budget_s is not None and time.monotonic() - started > budget_s
                while waiting and not is_late and len(running) < workers:
                    job = waiting.pop(0)
                    running[pool.submit(_run, job)] = job
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    job = running.pop(future)
                    if (error := future.exception()) is None:
                        progress.finished(job, future.result())
                    else:
                        failures[job.directory.name] = f"{type(error).__name__}: {error}"
                        progress.failed(job, error)
        except KeyboardInterrupt:
            is_stopped = True
            console.note("stopping: each run saves where it is; the same command goes on")
            wait(running)
    left = sum(not job.is_finished for job in jobs)
    return Ending(failures=failures, is_stopped=is_stopped, left=left)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Hold processes that import the engines once; fresh ones, since torch has threads."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield pool


def _ensure(spec: Spec, seed: int) -> None:
    ensure(spec, seed, Console())


def _run(job: Job) -> float:
    """Make or go on with one run, what it prints in a file of its own; return its seconds."""
    started = time.monotonic()
    job.directory.mkdir(parents=True, exist_ok=True)
    with (
        (job.directory / _LOG).open("a", encoding="utf-8") as log,
        redirect_stdout(log),
        redirect_stderr(log),
    ):
        if (job.directory / CONFIG).exists():
            resume(job.directory, Console())
        else:
            train(job.recipe, job.directory, Console())
    return time.monotonic() - started


class _Progress:
    """Say what has ended, and about how long the rest will take."""

    def __init__(self, console: Console, *, n_done: int, n: int, workers: int) -> None:
        self._console, self._done, self._n, self._workers = console, n_done, n, workers
        self._times: list[float] = []
        if n_done:
            console.note(f"{n_done} of {n} runs are finished already")

    def finished(self, job: Job, seconds: float) -> None:
        if not job.is_finished:  # a person stopped it
            return
        self._done += 1
        self._times.append(seconds)
        record = read_record(job)
        scores = record.scores(record.headline)
        score = f", score {scores[-1][1]:.3f}" if scores else ""
        left_s = sum(self._times) / len(self._times) * (self._n - self._done) / self._workers
        self._console.note(
            f"[{self._done}/{self._n}] {job.arm.name} seed {job.seed}: "
            f"{seconds:.0f} s{score}; about {left_s / 60:.0f} min left"
        )

    def failed(self, job: Job, error: BaseException) -> None:
        first_line = str(error).partition("\n")[0]
        self._console.note(
            f"{job.arm.name} seed {job.seed} failed: {type(error).__name__}: {first_line} "
            f"({job.directory / _LOG})"
        )
