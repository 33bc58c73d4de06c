"""A run that begins where another run stands: its weights, moments, state and record."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonrl.atomic import sync
from reasonrl.errors import CheckpointError, ConfigError
from reasonrl.recipe import Recipe
from reasonrl.run import checkpoint
from reasonrl.run.config import taken_config
from reasonrl.run.gaps import first_gap
from reasonrl.run.layout import (
    CHECKPOINTS,
    EVALUATIONS,
    METRICS,
    VOTES,
    checkpoint_paths,
    is_run,
    record_paths,
    step_of,
)
from reasonrl.run.problem_sets import ProblemSet, check_same, read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The checkpoint of a run that another run begins with."""

    run: Path
    checkpoint: Path

    def check(self, recipe: Recipe, sets: Sequence[ProblemSet]) -> None:
        """Raise for a recipe that the state does not belong to: other seed, problems or stages."""
        known = taken_config(self.run)
        where = f"--from-state {self.run}@{step_of(self.checkpoint)}"
        for key, ours, theirs in (
            ("seed", recipe.seed, known.seed),
            ("the number of stages", len(recipe.stage), len(known.stage)),
        ):
            if ours != theirs:
                raise ConfigError(
                    f"{key} is {ours} and was {theirs}: the state belongs to it",
                    where=where,
                    expected="the recipe of that run, with other values for the rest of its steps",
                    remedy=f"begin with its weights alone: --from {self.run}",
                )
        stages = [item for item in sets if item.use.startswith("stage ")]
        check_same(read_manifest(self.run), stages, where=where, origin=self.run)

    def copy_to(self, directory: Path) -> None:
        """Copy the checkpoint, and the record up to its step, into a new run."""
        step = step_of(self.checkpoint)
        # The recorder rewinds these to the checkpoint's step.
        for name in (METRICS, EVALUATIONS):
            if (self.run / name).exists():
                shutil.copyfile(self.run / name, directory / name)
        if (self.run / VOTES).exists():
            shutil.copytree(self.run / VOTES, directory / VOTES)
        copies = []
        for path in record_paths(self.run):
            if step_of(path) <= step:
                copy = directory / path.relative_to(self.run)
                copy.parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(path, copy)
                copies.append(copy)
        target = directory / CHECKPOINTS / self.checkpoint.name
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".writing-{target.name}")
        shutil.copytree(self.checkpoint, scratch)
        # The record is on the disk before its checkpoint is there, as in any run.
        copies += [path for path in (directory / METRICS, directory / EVALUATIONS) if path.exists()]
        copies += scratch.iterdir()
        # A folder is on the disk when its files are, the deepest folder first.
        folders = {
            folder for copy in copies for folder in copy.parents if directory in folder.parents
        }
        for path in (*copies, *sorted(folders, reverse=True), directory):
            sync(path)
        scratch.rename(target)
        sync(target.parent)


def find_origin(name: str) -> Origin:
    """Return the checkpoint that RUN or RUN@STEP means, verified; the newest one without a step."""
    run, at, step = name.rpartition("@")
    is_step = bool(at) and step.isdigit() and is_run(Path(run))
    directory = Path(run if is_step else name)
    where = f"--from-state {name}"
    if not is_run(directory):
        raise ConfigError(
            "no run here", where=where, expected="the directory of a run, or RUN@STEP"
        )
    points = checkpoint_paths(directory / CHECKPOINTS)
    wanted = [path for path in points if not is_step or step_of(path) == int(step)]
    if not wanted:
        raise CheckpointError(
            "no such checkpoint" if points else "this run has no checkpoint yet",
            where=where,
            expected="one of " + (", ".join(str(step_of(path)) for path in points) or "none"),
        )
    if gap := first_gap(directory, step_of(wanted[-1])):
        raise CheckpointError(
            gap.what,
            where=where,
            expected="a record of every step up to the checkpoint, once and in order",
            remedy="restore the file from a copy, name an earlier step, or begin with the weights "
            f"alone: --from {name}",
        )
    return Origin(run=directory, checkpoint=checkpoint.load(wanted[-1]).path)


def _link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, for it is never written again; copy it to another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
