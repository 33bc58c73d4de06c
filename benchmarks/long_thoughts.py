"""Sampling and an update of long completions with a tiny model: seconds and peak memory.

    python -m benchmarks.long_thoughts [--tokens 16384] [--json PATH]

Two completions of so many tokens after one prompt of 300, on one thread, in a process of its own.
The ideal is the same work with layers that attend to nothing, plus each row's attention to its own
past alone: seconds of torch's causal kernel, and the bytes of queries, keys, values and outputs
that the backward pass needs. A mask of all pairs would take a byte for each, and another four where
torch turns it into numbers.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from benchmarks.attention_alone import no_attention, query_heads, seconds_by_token
from benchmarks.common import DocstringHelp, Row, cpu_seconds, report
from benchmarks.workload import OPTIMIZER, fix_lengths, train_batch
from reasonrl.algo.loss import Objective
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.threads import use_threads
from reasonrl.models.hf import LanguageModel, settled
from reasonrl.models.random import build_tiny
from reasonrl.models.scores import Softmax
from reasonrl.types import Completion, Prompt, Sampling, StopReason

N_ROWS, PROMPT = 2, 300
OBJECTIVE = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU-seconds of a call, and by how many MB it raised the process's peak memory."""
    before = _peak_mb()
    seconds = cpu_seconds(work)
    return seconds, _peak_mb() - before


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tiny(context: int) -> LanguageModel:
    """Return the tiny model with so many positions."""
    module, tokenizer = build_tiny()
    module.config.max_position_embeddings = context
    return settled(module, tokenizer, "tiny")


def update_attention_s(model: LanguageModel, tokens: int) -> float:
    """Return the CPU-seconds of a row's causal attention in all layers, forward and backward."""
    heads, size = model.cache_shape
    query, key, value = (
        torch.randn(1, n, PROMPT + tokens, size, requires_grad=True)
        for n in (query_heads(model), heads, heads)
    )

    def attend() -> None:
        Softmax().over_row(query, key, value, None, size**-0.5).sum().backward()  # type: ignore[no-untyped-call]

    return model.n_layers * cpu_seconds(attend)


def measured(tokens: int, *, is_ideal: bool) -> dict[str, float]:
    """Return seconds and MB of sampling and of an update in this process."""
    use_threads(1)
    keep_freed_memory()
    fix_lengths(lambda _row: tokens)
    model = tiny(PROMPT + tokens)
    engine = LocalEngine(model, OPTIMIZER, token_budget=1 << 20, max_rows=N_ROWS)
    draws = np.random.default_rng(0)
    prompt = Prompt(tokens=draws.integers(5, 99, PROMPT).astype(np.int32), seed=1)
    sampling = Sampling(max_new_tokens=tokens, group_size=N_ROWS)
    own_sampling_s = own_update_s = own_mb = 0.0
    with ExitStack() as stack:
        if is_ideal:
            each = seconds_by_token(model, prompt=PROMPT, tokens=tokens)
            own_sampling_s = N_ROWS * float(each[:-1].sum())
            own_update_s = N_ROWS * update_attention_s(model, tokens)
            width = 2 * (query_heads(model) + model.cache_shape[0]) * model.cache_shape[1]
            own_mb = 4 * width * N_ROWS * (PROMPT + tokens) * model.n_layers / 1e6
            stack.enter_context(no_attention())
        sampling_s, sampling_mb = timed(lambda: engine.generate([prompt], sampling))
        batch = train_batch([prompt], [group_of(draws, tokens)])
        update_s, update_mb = timed(lambda: engine.update(batch, OBJECTIVE, learning_rate=1e-5))
    return {
        "sampling s": sampling_s + own_sampling_s,
        "sampling MB": sampling_mb,
        "update s": update_s + own_update_s,
        "update MB": update_mb + own_mb,
    }


def group_of(draws: np.random.Generator, tokens: int) -> list[Completion]:
    """Return completions of random tokens."""
    return [
        Completion(
            tokens=draws.integers(5, 99, tokens).astype(np.int32),
            logprobs=np.zeros(tokens, dtype=np.float32),
            stop=StopReason.LENGTH,
            version=0,
        )
        for _ in range(N_ROWS)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("--tokens", type=int, default=16_384)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=("ours", "ideal"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(measured(given.tokens, is_ideal=given.worker == "ideal")))
        return
    found: dict[str, dict[str, float]] = {}
    for worker in ("ours", "ideal"):
        command = [sys.executable, "-m", "benchmarks.long_thoughts", "--worker", worker]
        done = subprocess.run(
            [*command, "--tokens", str(given.tokens)], check=True, capture_output=True, text=True
        )
        found[worker] = json.loads(done.stdout.splitlines()[-1])
    ratios = {name: found["ours"][name] / found["ideal"][name] for name in found["ours"]}
    rows: list[Row] = [
        {"tokens": given.tokens, "what": name, **values}
        for name, values in (*found.items(), ("ratio", ratios))
    ]
    report(rows, given.json)


if __name__ == "__main__":
    main()
