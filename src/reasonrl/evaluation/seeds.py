"""One suite sampled with several seeds: the mean score, and how far chance alone moves it."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from statistics import mean, stdev

from reasonrl.evaluation.results import EvalResults

_SEED = re.compile(r"-s\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSpread:
    """The scores of a model on one suite, by seed: each is avg@k, from 0 to 1."""

    suite: str
    model: str
    scores: tuple[float, ...]

    def describe(self) -> str:
        """Return the mean and the spread in one sentence, in points."""
        points = [100 * score for score in self.scores]
        return (
            f"{self.suite}, {self.model}: {mean(points):.1f} over {len(points)} seeds, from "
            f"{min(points):.1f} to {max(points):.1f}, standard deviation {stdev(points):.1f}"
        )


def seed_spreads(results: EvalResults) -> list[SeedSpread]:
    """Return the spread of each suite and model that was sampled with several seeds."""
    seeded = [suite["name"] for suite in results.recipe["suite"] if "seed" in suite]
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for model in results.models:
        for name in seeded:
            result = model.suite(name)
            if result is not None and result.accuracy is not None:
                scores[_SEED.sub("", name), model.name].append(result.accuracy.value)
    return [
        SeedSpread(suite=suite, model=model, scores=tuple(values))
        for (suite, model), values in scores.items()
        if len(values) > 1
    ]
