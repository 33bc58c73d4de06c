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
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from benchmarks.common import DocstringHelp, Row, report
from benchmarks.workload import OPTIMIZER, fix_lengths, train_batch
from reasonrl.algo.loss import Objective
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.threads import use_threads
from reasonrl.models import attention, cache
from reasonrl.models.hf import LanguageModel, settled
from reasonrl.models.random import build_tiny
from reasonrl.models.scores import Softmax
from reasonrl.types import Completion, Prompt, Sampling, StopReason

N_ROWS, PROMPT = 2, 300
_CALLS = 50
OBJECTIVE = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU-seconds of a call, and by how many MB it raised the process's peak memory."""
    before, start = _peak_mb(), time.process_time()
    work()
    return time.process_time() - start, _peak_mb() - before


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tiny(context: int) -> LanguageModel:
    """Return the tiny model with so many positions."""
    module, tokenizer = build_tiny()
    module.config.max_position_embeddings = context
    return settled(module, tokenizer, "tiny")


def attend_to_nothing() -> None:
    """Let layers return their queries, in sampling and in updates."""

    def skip(_self: Any, _layer: int, query: torch.Tensor, *_rest: Any) -> torch.Tensor:
        return query.transpose(1, 2)

    cache.CachedRows.attend = skip  # type: ignore[method-assign]
    attention.PackedGroups.attend = skip  # type: ignore[method-assign]


def own_attention_s(model: LanguageModel, tokens: int) -> tuple[float, float]:
    """Return CPU-seconds of the rows' attention alone: in sampling, and in an update."""
    config = cast(Any, model.module).config
    heads, size = model.cache_shape
    group, kernel = config.num_attention_heads // heads, Softmax()
    ends = np.unique(np.geomspace(PROMPT, PROMPT + tokens, 12).astype(int))
    costs = []
    for end in ends:
        query, past = torch.randn(1, heads, group, size), torch.randn(1, heads, int(end), size)

        def attend(query: torch.Tensor = query, past: torch.Tensor = past) -> None:
            for _ in range(_CALLS):
                kernel.over_past(query, past, past, None, 0.1)

        costs.append(min(timed(attend)[0] for _ in range(5)) / _CALLS)
    sampling = float(np.interp(np.arange(PROMPT, PROMPT + tokens), ends, costs).sum())
    rows = [
        torch.randn(1, n, PROMPT + tokens, size, requires_grad=True)
        for n in (config.num_attention_heads, heads, heads)
    ]
    update, _ = timed(lambda: kernel.over_row(*rows, None, 0.1).sum().backward())  # type: ignore[arg-type]
    return model.n_layers * N_ROWS * sampling, model.n_layers * N_ROWS * update


def measured(tokens: int, *, is_ideal: bool) -> dict[str, float]:
    """Return seconds and MB of sampling and of an update in this process."""
    use_threads(1)
    keep_freed_memory()
    fix_lengths(lambda _row: tokens)
    model = tiny(PROMPT + tokens)
    engine = LocalEngine(model, OPTIMIZER, token_budget=1 << 20, max_rows=N_ROWS)
    config = cast(Any, model.module).config
    draws = np.random.default_rng(0)
    prompt = Prompt(tokens=draws.integers(5, 99, PROMPT).astype(np.int32), seed=1)
    sampling = Sampling(max_new_tokens=tokens, group_size=N_ROWS)
    own_sampling_s = own_update_s = own_mb = 0.0
    if is_ideal:
        own_sampling_s, own_update_s = own_attention_s(model, tokens)
        attend_to_nothing()
        heads, size = model.cache_shape
        width = 2 * (config.num_attention_heads + heads) * size
        own_mb = 4 * width * N_ROWS * (PROMPT + tokens) * model.n_layers / 1e6
    sampling_s, sampling_mb = timed(lambda: engine.generate([prompt], sampling))
    group = [
        Completion(
            tokens=draws.integers(5, 99, tokens).astype(np.int32),
            logprobs=np.zeros(tokens, dtype=np.float32),
            stop=StopReason.LENGTH,
            version=0,
        )
        for _ in range(N_ROWS)
    ]
    batch = train_batch([prompt], [group])
    update_s, update_mb = timed(lambda: engine.update(batch, OBJECTIVE, learning_rate=1e-5))
    return {
        "sampling s": sampling_s + own_sampling_s,
        "sampling MB": sampling_mb,
        "update s": update_s + own_update_s,
        "update MB": update_mb + own_mb,
    }


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
