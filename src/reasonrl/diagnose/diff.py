"""Two runs, or two sides of several runs: what differs, and whether it is more than seeds make.

Curves are compared by their means over all steps that the runs have in common, and success by its
last third as well. With two runs or more on each side, Student's interval of the difference says
whether seeds explain it; the level is shared among the measures, so that of pairs that differ in
seeds alone at most a few percent are called different.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any

from reasonrl.diagnose.student import MeanDifference, difference_of_means
from reasonrl.errors import CheckpointError
from reasonrl.evaluation.paired import paired_gain
from reasonrl.evaluation.score import SuiteResult, describe_gain
from reasonrl.recipe.tables import differences
from reasonrl.recipe.toml import dump_table
from reasonrl.run.config import read_config
from reasonrl.run.prescriptions import examine_run
from reasonrl.run.problem_sets import read_manifest
from reasonrl.run.record import RunRecorder
from reasonrl.run.sessions import read_sessions
from reasonrl.types import Row

_FAMILY = 0.95
"""The level of all measures together: of pairs that differ in seeds alone, at most 5 % are called
different, and fewer because measures go together."""

_ALL, _LAST = 1, 3
"""The part of the common steps that a measure is the mean of: all, or the last third."""

_MEASURES = (
    ("accuracy/all", "accuracy", _ALL),
    ("accuracy/all", "accuracy at the end", _LAST),
    ("reward/mean", "reward", _ALL),
    ("reward/mean", "reward at the end", _LAST),
    ("entropy/nats", "entropy, nats", _ALL),
    ("rollout/mean_tokens", "length, tokens", _ALL),
    ("rollout/truncated_share", "truncated", _ALL),
    ("update/gradient_norm", "gradient norm", _ALL),
)
_SEEDS = ("seed", "name")
"""Keys of a recipe in which the runs of a side may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A measure of the runs of both sides, and their difference; None with one run a side."""

    label: str
    a: Sequence[float]
    b: Sequence[float]
    difference: MeanDifference | None

    @property
    def sentence(self) -> str:
        """Return the difference with its size and interval."""
        change = fmean(self.b) - fmean(self.a)
        text = f"{self.label}: {fmean(self.a):.4g} and {fmean(self.b):.4g} ({change:+.3g}"
        if self.difference is not None:
            text += f", interval {self.difference.low:+.3g} to {self.difference.high:+.3g}"
        return text + ")"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What differs between two sides. `recipe` has dotted keys with the value of each side.

    `facts` are what else differs: versions, machines, problems. `suites` are sentences on the last
    evaluations. `findings` has the doctor's sentences by run. `steps` is the number of common
    steps, and `rows` the metrics of every run of each side, for curves.
    """

    a: Sequence[Path]
    b: Sequence[Path]
    recipe: Sequence[tuple[str, Any, Any]]
    facts: Sequence[tuple[str, str, str]]
    steps: int
    measures: Sequence[Measured]
    suites: Sequence[str]
    findings: Mapping[str, Sequence[str]]
    rows: tuple[Sequence[Sequence[Row]], Sequence[Sequence[Row]]]

    @property
    def knows_seeds(self) -> bool:
        """Return whether both sides have several runs, so that the spread of seeds is known."""
        return min(len(self.a), len(self.b)) > 1

    @property
    def shown(self) -> list[Measured]:
        """Return the measures whose difference is more than seeds make."""
        return [one for one in self.measures if one.difference and one.difference.is_shown]

    @property
    def verdict(self) -> str:
        """Return in a sentence whether the sides differ by more than seeds make."""
        if not self.knows_seeds:
            return (
                "how much seeds differ is not known from one run a side; pass several: "
                "`reasonrl diff A1 A2 A3 -- B1 B2 B3`"
            )
        if self.shown:
            return "they differ by more than seeds make: " + "; ".join(
                one.sentence for one in self.shown
            )
        return "no difference beyond that of seeds is shown"


def diff(a: Sequence[Path], b: Sequence[Path]) -> Diff:
    """Compare two sides; CheckpointError for what is no run, or has no step in common."""
    sides = [[RunRecorder(run).metrics() for run in side] for side in (a, b)]
    recipes = [[dump_table(read_config(run)) for run in side] for side in (a, b)]
    for side, tables in zip((a, b), recipes, strict=True):
        _check_alike(side, tables)
    steps = min(len(rows) for side in sides for rows in side)
    if not steps:
        empty = next(run for side, runs in zip(sides, (a, b), strict=True)
                     for rows, run in zip(side, runs, strict=True) if not rows)  # fmt: skip
        raise CheckpointError(
            "this run has taken no step", where=str(empty), remedy="compare runs that have"
        )
    measures = _measures(sides, steps)
    return Diff(
        a=a,
        b=b,
        recipe=_recipe_differences(recipes[0][0], recipes[1][0]),
        facts=[*_machines(a[0], b[0]), *_problems(a[0], b[0])],
        steps=steps,
        measures=measures,
        suites=_suites(a, b),
        findings={run.name: [one.finding.sentence for one in examine_run(run)] for run in (*a, *b)},
        rows=(sides[0], sides[1]),
    )


def _recipe_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the keys that differ; a default of all stages is left out where a stage has it."""
    found = [one for one in differences(a, b) if one[0] not in _SEEDS]
    of_stages = {key.split(".", 2)[2] for key, _, _ in found if key.startswith("stage.")}
    return [one for one in found if one[0] not in of_stages]


def _check_alike(side: Sequence[Path], tables: Sequence[Mapping[str, Any]]) -> None:
    """Raise CheckpointError where the runs of one side differ in more than their seeds."""
    for run, table in zip(side[1:], tables[1:], strict=True):
        others = [key for key, _, _ in differences(tables[0], table) if key not in _SEEDS]
        if others:
            raise CheckpointError(
                f"its recipe differs from that of {side[0].name} in {', '.join(others[:3])}",
                where=str(run),
                expected="runs of one side that differ in their seeds alone",
                remedy="put runs of other recipes on the other side of --",
            )


def _measures(sides: Sequence[Sequence[Sequence[Row]]], steps: int) -> list[Measured]:
    known: list[tuple[str, list[float], list[float], float]] = []
    for key, label, part in _MEASURES:
        first = steps - max(1, steps // part)
        curves = [[_numbers(rows[first:steps], key) for rows in side] for side in sides]
        if all(curve for side in curves for curve in side):
            a, b = ([fmean(curve) for curve in side] for side in curves)
            noise = fmean(_variance_of_mean(curve) for side in curves for curve in side)
            known.append((label, a, b, noise))
    # Where the verdict is the reward, one of the two says all.
    known = [one for n, one in enumerate(known) if one[1:3] not in [two[1:3] for two in known[:n]]]
    level = 1 - (1 - _FAMILY) / max(1, len(known))
    has_several = min(len(side) for side in sides) > 1
    return [
        Measured(
            label=label,
            a=a,
            b=b,
            difference=difference_of_means(a, b, level=level, least_variance=noise)
            if has_several
            else None,
        )
        for label, a, b, noise in known
    ]


def _numbers(rows: Sequence[Row], key: str) -> list[float]:
    """Return the numbers of a metric, empty where the steps have none."""
    values = [row.get(key) for row in rows]
    return [float(value) for value in values if isinstance(value, int | float) and isfinite(value)]


def _variance_of_mean(values: Sequence[float]) -> float:
    """Return the variance of a mean of steps by the noise from step to step, without a trend."""
    apart = [(later - before) ** 2 / 2 for before, later in pairwise(values)]
    return fmean(apart) / len(values) if apart else 0.0


def _machines(a: Path, b: Path) -> list[tuple[str, str, str]]:
    """Return the versions and facts of machines that differ."""
    one, other = (_flat(read_sessions(run)) for run in (a, b))
    return [
        (key, one.get(key, "not recorded"), other.get(key, "not recorded"))
        for key in sorted({*one, *other})
        if one.get(key) != other.get(key)
    ]


def _flat(sessions: Sequence[Mapping[str, object]]) -> dict[str, str]:
    if not sessions:
        return {}
    parts = [sessions[-1].get("versions"), sessions[-1].get("machine")]
    return {
        str(key): str(value)
        for part in parts
        if isinstance(part, Mapping)
        for key, value in part.items()
    }


def _problems(a: Path, b: Path) -> list[tuple[str, str, str]]:
    """Return the sets of problems whose hashes differ."""
    one, other = ({item.use: item for item in read_manifest(run)} for run in (a, b))
    return [
        (f"problems of {use}", f"{one[use].n} ({one[use].problems[:8]})",
         f"{other[use].n} ({other[use].problems[:8]})")
        for use in one
        if use in other and one[use].differs_from(other[use])
    ]  # fmt: skip


def _suites(a: Sequence[Path], b: Sequence[Path]) -> list[str]:
    """Return a sentence for each suite that both sides evaluated: scores and paired verdict."""
    last = [[_last(run) for run in side] for side in (a, b)]
    sentences = []
    for suite in last[0][0]:
        if not all(suite in results for side in last for results in side):
            continue
        scores = [[_by_problem(results[suite]) for results in side] for side in last]
        shared = set.intersection(*(set(one) for side in scores for one in side))
        if not shared:
            continue
        before, after = (
            [fmean(one[name] for one in side) for name in sorted(shared)] for side in scores
        )
        gain = describe_gain(paired_gain(before, after))
        sentences.append(f"{suite}: {fmean(before):.3f} and {fmean(after):.3f}, {gain}")
    return sentences


def _last(run: Path) -> dict[str, SuiteResult]:
    return {result.suite: result for result in RunRecorder(run).evaluations()}


def _by_problem(result: SuiteResult) -> dict[str, float]:
    return {one.id: one.score for one in result.problems if one.score is not None}
