"""The results that the Skywork-OR1 report compares with, and our rows in its columns.

Table 13 of arXiv 2505.22312 v2: AIME 2024 and 2025 as avg@32, LiveCodeBench (2024-08 to 2025-02)
as avg@4, in points of 100; None where the report has no value. Its row of QwQ-32B repeats that of
TinyR1-32B-Preview in two columns, where the report's Figure 2 shows 69.0 and 63.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reasonrl.algo.stats import Estimate
from reasonrl.evaluation.results import EvalResults
from reasonrl.evaluation.score import SuiteResult
from reasonrl.recipe import LiveCodeBench

_ENDS = ("since", "until")

COLUMNS: Mapping[str, str] = {
    "aime24": "AIME24",
    "aime25": "AIME25",
    "livecodebench": "LiveCodeBench",
}

_PROBLEMS = {"aime24": 30, "aime25": 30}
_WINDOW = tuple(str(LiveCodeBench(type="livecodebench").model_dump()[end]) for end in _ENDS)

TABLE_13: tuple[tuple[str, tuple[float | None, ...]], ...] = (
    ("DeepSeek-R1-Distill-Qwen-7B", (55.5, 39.2, 37.6)),
    ("Light-R1-7B-DS", (59.1, 44.3, 39.5)),
    ("AReaL-boba-RL-7B", (61.9, 48.3, None)),
    ("AceReason-Nemotron-7B", (69.0, 53.6, 51.8)),
    ("Skywork-OR1-Math-7B", (69.8, 52.3, 43.6)),
    ("Skywork-OR1-7B", (70.2, 54.6, 47.6)),
    ("DeepSeek-R1-Distill-Qwen-32B", (72.9, 59.0, 57.2)),
    ("TinyR1-32B-Preview", (78.1, 65.3, 61.6)),
    ("Light-R1-32B", (76.6, 64.6, None)),
    ("QwQ-32B", (79.5, 65.3, 61.6)),
    ("Qwen3-32B", (81.4, 72.9, 65.7)),
    ("DeepSeek-R1", (79.8, 70.0, 65.9)),
    ("Skywork-OR1-32B", (82.2, 73.3, 63.0)),
)


def rows_of(results: EvalResults) -> Iterator[tuple[str, list[Estimate | None]]]:
    """Yield our rows: one for each model and way of asking; the row's name tells them apart."""
    kinds = {
        suite["name"]: suite["sources"][0]
        for suite in results.recipe["suite"]
        if len(suite["sources"]) == 1 and suite["sources"][0]["type"] in COLUMNS
    }
    for model in results.models:
        rows: dict[str, dict[str, Estimate]] = {}
        for result in model.suites:
            if result.suite in kinds and result.accuracy is not None:
                source = kinds[result.suite]
                rows.setdefault(_how(result, source), {})[source["type"]] = result.accuracy
        for how, values in rows.items():
            yield f"{model.name} ({how})", [values.get(column) for column in COLUMNS]


def _how(result: SuiteResult, source: Mapping[str, Any]) -> str:
    """Describe how a suite was asked, as far as it differs from the report."""
    column = source["type"]
    parts = [f"temperature {result.temperature:g}", f"{result.max_new_tokens:,} tokens"]
    if result.k != usual_samples(column):
        parts.insert(0, f"k={result.k}")
    if result.n_problems < _PROBLEMS.get(column, 0):
        parts.append(f"{result.n_problems} problems")
    if source.get("style", "report") != "report":
        parts.append(f"style {source['style']}")
    if column == "livecodebench":
        window = tuple(source[end] for end in _ENDS)
        if window != _WINDOW:
            parts.append(f"{window[0]} to {window[1]}")
    return ", ".join(parts)


_SAMPLES = {"aime24": 32, "aime25": 32}  # the report's avg@32; of all others its avg@4
OTHER_SAMPLES = 4


def usual_samples(benchmark: str) -> int:
    """Return the report's k for a benchmark; 4, as for LiveCodeBench, for all others."""
    return _SAMPLES.get(benchmark, OTHER_SAMPLES)
