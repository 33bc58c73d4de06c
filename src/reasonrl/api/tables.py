"""A run and an evaluation as Python objects: their tables are Arrow, `.to_pandas()` for pandas."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reasonrl.errors import CheckpointError, ConfigError
from reasonrl.evaluation.results import EvalResults
from reasonrl.evaluation.score import SuiteResult
from reasonrl.recipe import Recipe
from reasonrl.run.config import check_is_run, read_config
from reasonrl.run.layout import MODEL, PICTURE, SUMMARY, rollouts_paths, step_of
from reasonrl.run.record import RunRecorder
from reasonrl.run.status import RunStatus, read_status


class Run:
    """A run's directory, while it trains and afterwards. Every call reads the files anew."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Open a run; CheckpointError where the directory holds none."""
        self.directory = Path(directory)
        check_is_run(self.directory)

    def __fspath__(self) -> str:
        return str(self.directory)

    def __repr__(self) -> str:
        status = self.status
        return f"Run({str(self.directory)!r}): {status.phase}, step {status.step} of {status.total}"

    def _repr_html_(self) -> str:
        """Return the line of `repr` with the run's curves, for notebooks."""
        picture = self.directory / PICTURE
        curves = picture.read_text(encoding="utf-8") if picture.exists() else ""
        return f"<p>{html.escape(repr(self))}</p>{curves}"

    @property
    def recipe(self) -> Recipe:
        """Return the recipe, resolved."""
        return read_config(self.directory)

    @property
    def status(self) -> RunStatus:
        """Return whether the run is running, silent, stopped or finished, and how far it is."""
        return read_status(self.directory)

    @property
    def is_finished(self) -> bool:
        """Return whether all stages have ended."""
        return (self.directory / SUMMARY).exists()

    @property
    def model(self) -> Path:
        """Return the directory of the final model, which plain transformers loads.

        Raises CheckpointError for a run that has not ended.
        """
        if not self.is_finished:
            raise CheckpointError(
                "this run has no final model yet",
                where=str(self.directory),
                remedy=f"continue it with reasonrl.resume({str(self.directory)!r})",
            )
        return self.directory / MODEL

    def metrics(self) -> pa.Table:
        """Return a row for each step; docs/metrics.md declares the columns."""
        return pa.Table.from_pylist(RunRecorder(self.directory).metrics())

    def rollouts(self, step: int | None = None) -> pa.Table:
        """Return all rollouts of a step, or of all steps, with their rewards and verdicts."""
        paths = rollouts_paths(self.directory)
        chosen = [path for path in paths if step is None or step_of(path) == step]
        if not chosen:
            known = f"1 to {step_of(paths[-1])}" if paths else "none yet"
            raise ConfigError(
                f"no rollouts of step {step}", where=str(self.directory), expected=known
            )
        return pa.concat_tables(map(pq.read_table, chosen), promote_options="default")

    def evaluations(self) -> pa.Table:
        """Return a row for each evaluation of each suite, with 95 % intervals."""
        results = RunRecorder(self.directory).evaluations()
        return pa.Table.from_pylist([{"step": one.step, **_row(one)} for one in results])


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The results of `evaluate`, and the directory that keeps them with all samples."""

    directory: Path
    results: EvalResults

    def scores(self) -> pa.Table:
        """Return a row for each model and suite, with 95 % intervals."""
        return pa.Table.from_pylist(
            [
                {"model": model.name, **_row(result)}
                for model in self.results.models
                for result in model.suites
            ]
        )

    def samples(self) -> pa.Table:
        """Return every sample of every model and suite, with its reward and verdict."""
        paths: Sequence[Path] = sorted(self.directory.glob("samples/*/*.parquet"))
        return pa.concat_tables(map(pq.read_table, paths), promote_options="default")


def _row(result: SuiteResult) -> dict[str, object]:
    """Return the numbers of one suite in columns; shares are from 0 to 1."""
    accuracy, reward = result.accuracy, result.reward
    at_k = result.pass_at.get(result.k)
    return {
        "suite": result.suite,
        "problems": result.n_problems,
        "k": result.k,
        "accuracy": accuracy and accuracy.value,
        "low": accuracy and accuracy.ci95[0],
        "high": accuracy and accuracy.ci95[1],
        "pass_at_k": at_k and at_k.value,
        "reward": reward and reward.value,
        **{f"reward/{name}": mean and mean.value for name, mean in result.components.items()},
        "truncated_share": result.truncated_share,
        "mean_tokens": result.mean_tokens,
        "failed": result.failed,
    }
