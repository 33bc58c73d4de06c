"""Where the spread of a claim's difference comes from. Pure.

Over seeds, the differences of a score vary for three reasons: the samples of the evaluations (known
from each problem's right answers), problems that gain in one seed and not in another, and the
seeds' training itself. A fourth reason is the same in every seed, so that an interval over seeds
does not see it: which problems were chosen. It is told apart, as the standard error that other
problems of the same kind would add.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, nan

import numpy as np
import numpy.typing as npt

from reasonrl.studies.claims import Claim
from reasonrl.studies.measures import mean
from reasonrl.studies.record import RunRecord
from reasonrl.studies.scoring import Scoring
from reasonrl.studies.verdicts import MIN_SEEDS, Records, pairs_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The parts of the variance of one seed's difference, in the measure's unit squared.

    `total` is the variance over seeds; `samples` is the part of the evaluations' samples, `mixed`
    the part of problems that gain in some seeds only, `seeds` the rest. `problems` is the variance
    of the mean over seeds by the choice of problems. A part is NaN where the runs do not tell it.
    """

    total: float
    samples: float = nan
    mixed: float = nan
    seeds: float = nan
    problems: float = nan


def noise_of(claim: Claim, records: Records) -> Noise | None:
    """Return the parts of a claim's variance over seeds; None with fewer than three seeds."""
    pairs = pairs_of(claim, records)
    if len(pairs) < MIN_SEEDS:
        return None
    differences = [pair.value - pair.other for pair in pairs]
    total = float(np.var(differences, ddof=1))
    scoring = claim.measure.scoring
    if scoring is None or not claim.other:  # only scores are sampled at evaluations
        return Noise(total=total)
    both = [(pair.run, pair.rival) for pair in pairs if pair.rival is not None]
    samples = mean([_sampled(run, scoring) + _sampled(rival, scoring) for run, rival in both])
    tables = [(_by_problem(run, scoring), _by_problem(rival, scoring)) for run, rival in both]
    lengths = {len(table) for pair in tables for table in pair}
    n = lengths.pop()
    if lengths or n < 2:
        return Noise(total=total, samples=samples)
    gains_SP = np.array([table - other for table, other in tables])
    means_P = gains_SP.mean(axis=0)
    rest_SP = gains_SP - means_P - (gains_SP.mean(axis=1) - gains_SP.mean())[:, None]
    left = float((rest_SP**2).sum() / ((len(tables) - 1) * (n - 1)) / n)  # samples and mixed
    return Noise(
        total=total,
        samples=samples,
        mixed=max(0.0, left - samples),
        seeds=max(0.0, total - max(left, samples)),
        problems=max(0.0, float(means_P.var(ddof=1)) / n - left / len(tables)),
    )


def _sampled(run: RunRecord, scoring: Scoring) -> float:
    """Return the variance of a run's score by the samples of its evaluations; NaN if unknown."""
    parts = [(weight, score.variance) for weight, score in scoring(run)]
    if any(variance is None for _, variance in parts):
        return nan
    return fsum(weight**2 * (variance or 0.0) for weight, variance in parts)


def _by_problem(run: RunRecord, scoring: Scoring) -> npt.NDArray[np.float64]:
    """Return the run's score on each problem; empty if an evaluation does not tell it."""
    shares = [weight * np.array(score.right_P) / score.k for weight, score in scoring(run)]
    if len({len(one) for one in shares}) != 1:
        return np.zeros(0)
    found: npt.NDArray[np.float64] = np.stack(shares).sum(axis=0)
    return found
