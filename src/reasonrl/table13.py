"""The results that the Skywork-OR1 report compares with, and our rows in its columns.

Table 13 of arXiv 2505.22312 v2: AIME 2024 and 2025 as avg@32, LiveCodeBench (2024-08 to 2025-02)
as avg@4, in points of 100; None where the report has no value. Its row of QwQ-32B repeats that of
TinyR1-32B-Preview in two columns, where the report's Figure 2 shows 69.0 and 63.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reasonrl.algo.stats import Estimate
from reasonrl.results import EvalResults
from reasonrl.score import SuiteResult

COLUMNS: Mapping[str, str] = {
    "aime24": "AIME24 avg@32",
    "aime25": "AIME25 avg@32",
    "livecodebench": "LCB avg@4",
}

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
    """Yield a row for each model and sampling that was evaluated on a column's benchmark."""
    kinds = {
        suite["name"]: suite["sources"][0]["type"]
        for suite in results.recipe["suite"]
        if len(suite["sources"]) == 1
    }
    for model in results.models:
        by_setting: dict[tuple[float, int], list[SuiteResult]] = {}
        for result in model.suites:
            if kinds.get(result.suite) in COLUMNS:
                setting = result.temperature, result.max_new_tokens
                by_setting.setdefault(setting, []).append(result)
        for (temperature, limit), found in by_setting.items():
            samples = "/".join(str(k) for k in sorted({one.k for one in found}, reverse=True))
            values = {kinds[one.suite]: one.accuracy for one in found}
            name = f"{model.name} (k={samples}, temperature {temperature:g}, {limit:,} tokens)"
            yield name, [values.get(column) for column in COLUMNS]
