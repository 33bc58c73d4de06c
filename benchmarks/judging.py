"""Sampling and judging of a step beside each other, where judging takes as long as sampling.

    python -m benchmarks.judging [--repeats 5] [--json PATH]

SmolLM2-135M samples 64 rollouts of uneven length on one thread, at most --rows side by side. The
judge answers in turn, each response after the same time, which is set so that all together take as
long as the sampling: by waiting, as for programs under test on other machines, or by computing in
another process, as algebra does. Seconds of sampling alone, judging afterwards and judging beside
it take turns. No judge can end before the bound, which follows from when the rollouts end. Goal:
beside it at most 1.15 times the longer of the two.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.common import DocstringHelp, Row, report, spread
from benchmarks.workload import OPTIMIZER, fix_lengths
from reasonrl.data.sources import arithmetic_problems
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.threads import use_threads
from reasonrl.models.fetch import DEFAULT_MODEL
from reasonrl.models.hf import load_model
from reasonrl.rollout.beside import EarlyJudge
from reasonrl.rollout.collect import collect
from reasonrl.rollout.judge import Judge
from reasonrl.rollout.problems import encode_problems, item_of
from reasonrl.types import Sampling, Status, StopReason, Verdict, VerifyItem

N_PROMPTS, GROUP, LIMIT = 8, 8, 64


def compute(seconds: float) -> None:
    """Keep a core busy for so many of its seconds."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def judge_after(take: Callable[[float], object], seconds: float) -> Judge:
    """Return a judge that takes its time for each response."""

    def judge(items: Sequence[VerifyItem]) -> list[Verdict]:
        for _ in items:
            take(seconds)
        return [Verdict(reward=1.0, status=Status.CORRECT) for _ in items]

    return judge


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    use_threads(1)
    keep_freed_memory()
    lengths = 1 + np.random.default_rng(0).integers(LIMIT, size=(N_PROMPTS, GROUP))
    fix_lengths(lambda row: int(lengths[row.prompt, row.index]))
    model = load_model(DEFAULT_MODEL)
    engine = LocalEngine(model, OPTIMIZER, token_budget=1024, max_rows=given.rows)
    problems = arithmetic_problems(operators=["add"], max_operand=9, heldout=5)[:N_PROMPTS]
    encoded = encode_problems(problems, model.tokenizer, system_prompt=None)
    sampling = Sampling(max_new_tokens=LIMIT, group_size=GROUP)

    def seconds(judge: Judge | None, ends: list[float] | None = None) -> float:
        start = time.perf_counter()

        def note(_n: int) -> None:
            if ends is not None:
                ends.append(time.perf_counter() - start)

        collect(
            engine, model.tokenizer, judge, encoded, sampling, seed_parts=(1, "train", 1),
            progress=note,
        )  # fmt: skip
        return time.perf_counter() - start

    seconds(None)  # allocates memory
    rows: list[Row] = []
    with ProcessPoolExecutor(1) as pool:
        pool.submit(compute, 0.0).result()
        ways: dict[str, Callable[[float], object]] = {
            "waits": time.sleep,
            "computes": lambda each: pool.submit(compute, each).result(),
        }
        for name, take in ways.items():
            ratios: dict[str, list[float]] = {"afterwards": [], "beside": [], "the bound": []}
            for _ in range(given.repeats):
                ends: list[float] = []
                alone = seconds(None, ends)
                each = alone / (N_PROMPTS * GROUP)
                judge = judge_after(take, each)
                start = time.perf_counter()
                judge([item_of(encoded[0], "", StopReason.STOP)] * N_PROMPTS * GROUP)
                longer = max(alone, time.perf_counter() - start)
                ratios["afterwards"].append(seconds(judge) / longer)
                ratios["beside"].append(seconds(EarlyJudge(judge)) / longer)
                bound = max(end + each * (len(ends) - n) for n, end in enumerate(ends))
                ratios["the bound"].append(bound / longer)
            rows += [
                {
                    "the judge": name,
                    "judged": when,
                    "against the longer": statistics.median(found),
                    "spread": spread(found),
                }
                for when, found in ratios.items()
            ]
    report(rows, given.json)


if __name__ == "__main__":
    main()
