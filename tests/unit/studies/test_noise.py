"""Where the spread of a difference comes from, on runs whose parts are known."""

from math import isnan

import numpy as np
import pytest

from reasonrl.studies import measures as m
from reasonrl.studies.claims import score
from reasonrl.studies.noise import noise_of
from tests.unit.studies.support import evaluation, run

CLAIM = score("", "a above b", measure=m.SCORE_END)
K, PROBLEMS, SEEDS = 8, 400, 60


def sampled(chances_P, rng):
    right = rng.binomial(K, np.clip(chances_P, 0, 1)).tolist()
    return evaluation(1, sum(right) / K / len(right), k=K, right=right)


def studied(*, seeds=0.0, mixed=0.0, problems=0.0):
    """Runs whose second arm solves each problem in half of its tries, with noise on the first."""
    rng = np.random.default_rng(5)
    by_problem_P = problems * rng.standard_normal(PROBLEMS)
    records = {}
    for seed in range(SEEDS):
        gain_P = by_problem_P + seeds * rng.standard_normal()
        gain_P = gain_P + mixed * rng.standard_normal(PROBLEMS)
        for arm, chances_P in (("a", 0.5 + gain_P), ("b", np.full(PROBLEMS, 0.5))):
            records[arm, seed] = run([0.4])
            records[arm, seed].evaluations.append(sampled(chances_P, rng))
    return records


SAMPLES = 2 * 0.25 / K / PROBLEMS  # both arms, p (1 - p) / k over problems


def test_samples_alone():
    noise = noise_of(CLAIM, studied())
    assert noise.samples == pytest.approx(SAMPLES, rel=0.05)
    assert noise.total == pytest.approx(SAMPLES, rel=0.4)
    assert noise.mixed < 0.1 * SAMPLES
    assert noise.problems < 0.1 * SAMPLES


def test_seeds_problems_and_their_mixture_are_told_apart():
    noise = noise_of(CLAIM, studied(seeds=0.02))
    assert noise.seeds == pytest.approx(0.02**2, rel=0.5)
    assert noise.problems < 1e-5
    noise = noise_of(CLAIM, studied(problems=0.1))
    assert noise.problems == pytest.approx(0.1**2 / PROBLEMS, rel=0.3)
    assert noise.seeds < 5e-5
    noise = noise_of(CLAIM, studied(mixed=0.1))
    assert noise.mixed == pytest.approx(0.1**2 / PROBLEMS, rel=0.3)


def test_what_the_runs_do_not_tell_is_not_a_number():
    records = {(arm, seed): run([0.4], {1: 0.5}) for arm in "ab" for seed in range(3)}
    noise = noise_of(CLAIM, records)
    assert noise.total == 0
    assert isnan(noise.samples)
    assert isnan(noise.problems)
    del records["a", 0]
    assert noise_of(CLAIM, records) is None


def test_a_run_whose_problems_are_told_apart_beside_one_whose_are_not():
    """A run that is cut between two evaluations has a score on the line between them."""
    records = studied()
    for seed in range(SEEDS):
        records["b", seed] = run([0.4], {1: 0.5})
    noise = noise_of(CLAIM, records)
    assert noise.total > 0
    assert isnan(noise.problems)
