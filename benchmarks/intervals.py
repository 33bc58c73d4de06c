"""Coverage of intervals and false alarms between equal models, by simulation.

A benchmark is drawn many times: each problem has a chance to be solved, drawn from a distribution,
and each sample solves the problem with this chance. The tables compare `algo.stats` and
`evaluation.paired` with the usual methods: mean +- t s / sqrt(n), and the paired t test.

    python -m benchmarks.intervals [--evaluations 2000] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from math import sqrt
from pathlib import Path

import numpy as np

from benchmarks.common import describe_machine, print_table
from reasonrl.algo.stats import mean_over_problems, t95
from reasonrl.evaluation.paired import paired_gain

Rates = Callable[[np.random.Generator, int], np.ndarray]

# The distributions of the problems' chances, each with its mean.
POPULATIONS: dict[str, tuple[Rates, float]] = {
    "broad: beta(0.4, 0.5)": (lambda rng, n: rng.beta(0.4, 0.5, n), 0.4 / 0.9),
    "hard: beta(0.3, 2)": (lambda rng, n: rng.beta(0.3, 2, n), 0.3 / 2.3),
    "out of reach: beta(0.1, 5)": (lambda rng, n: rng.beta(0.1, 5, n), 0.1 / 5.1),
    "easy: beta(9, 1)": (lambda rng, n: rng.beta(9, 1, n), 0.9),
    "almost solved: beta(3, 0.1)": (lambda rng, n: rng.beta(3, 0.1, n), 3 / 3.1),
    "always or never, 1 in 10": (lambda rng, n: (rng.random(n) < 0.1) * 1.0, 0.1),
    "all alike, 0.3": (lambda _rng, n: np.full(n, 0.3), 0.3),
}
SIZES = {"AIME": (30, 32), "AIME, k = 8": (30, 8), "held-out": (64, 8), "GSM8K, 200": (200, 4),
         "LiveCodeBench": (279, 4), "MATH-500": (500, 1)}  # fmt: skip


def coverage(evaluations: int) -> list[dict[str, str | int | float]]:
    """Return the share of simulated evaluations whose interval contains the population's mean."""
    rows: list[dict[str, str | int | float]] = []
    for name, (rates, mean) in POPULATIONS.items():
        for benchmark, (n, k) in SIZES.items():
            rng = np.random.default_rng(0)
            usual = ours = 0
            for _ in range(evaluations):
                scores = rng.binomial(k, rates(rng, n)) / k
                half = t95(n - 1) * sqrt(scores.var(ddof=1) / n)
                usual += abs(scores.mean() - mean) <= half + 1e-12
                low, high = mean_over_problems(scores.tolist()).ci95
                ours += low <= mean <= high
            rows.append(
                {"chances": name, "benchmark": benchmark, "problems": n, "k": k,
                 "mean +- t s / sqrt(n)": f"{usual / evaluations:.3f}",
                 "here": f"{ours / evaluations:.3f}"}
            )  # fmt: skip
    return rows


def false_alarms(evaluations: int) -> list[dict[str, str | int | float]]:
    """Return the share of comparisons in which two equal models are reported as different."""
    rows: list[dict[str, str | int | float]] = []
    for name, (rates, _) in POPULATIONS.items():
        for benchmark, (n, k) in SIZES.items():
            rng = np.random.default_rng(1)
            usual = ours = 0
            for _ in range(evaluations):
                p = rates(rng, n)
                before, after = rng.binomial(k, p) / k, rng.binomial(k, p) / k
                difference = after - before
                error = sqrt(difference.var(ddof=1) / n)
                usual += abs(difference.mean()) > t95(n - 1) * error
                ours += paired_gain(before.tolist(), after.tolist()).is_shown
            rows.append(
                {"chances": name, "benchmark": benchmark, "problems": n, "k": k,
                 "paired t test": f"{usual / evaluations:.4f}",
                 "here": f"{ours / evaluations:.4f}"}
            )  # fmt: skip
    return rows


def main() -> None:
    """Run both simulations and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=2_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    tables = {
        "coverage": coverage(options.evaluations),
        "alarms": false_alarms(options.evaluations),
    }
    print(f"\n{describe_machine()}")
    for rows in tables.values():
        print_table(rows)
    if options.json:
        options.json.write_text(json.dumps(tables, indent=1) + "\n")


if __name__ == "__main__":
    main()
