"""Sampling of rows of very different lengths: against plain transformers, and against the ideal.

    python -m benchmarks.long_rows [--longest 4096] [--repeats 5] [--compute float32] [--json PATH]

16 rollouts of SmolLM2-135M, whose lengths go from 64 tokens to the longest in equal ratios, run
side by side on one thread. The ideal is what the layers and the head cost without attention, plus
each row's attention to its own past alone, timed at 16 lengths of a row and added up. Plain
transformers generates the rows as one padded batch up to the longest. Goal: at most 1.3 times the
ideal.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from benchmarks.common import DocstringHelp, Row, cpu_seconds, report, spread
from benchmarks.workload import OPTIMIZER, fix_lengths
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.threads import use_threads
from reasonrl.engines.weights import COMPUTE_DTYPES
from reasonrl.models import cache
from reasonrl.models.fetch import DEFAULT_MODEL, locate
from reasonrl.models.hf import LanguageModel, load_model
from reasonrl.models.scores import scores_of
from reasonrl.types import Message, Prompt, Sampling

N_ROWS, SHORTEST = 16, 64


def own_attention_s(model: LanguageModel, lengths: np.ndarray, prompt: int) -> float:
    """Return the CPU-seconds of all rows' attention, each to its own past alone."""
    config = cast(Any, model.module).config
    heads, size = model.cache_shape
    group = config.num_attention_heads // heads
    scores = scores_of(size**-0.5)
    ends = np.unique(np.geomspace(prompt + 1, prompt + lengths.max(), 16).astype(int))
    costs = []
    for end in ends:
        query = torch.randn(1, heads, group, size).to(model.compute)
        past = torch.randn(1, heads, int(end), size).to(model.compute)
        n = max(5, 20_000 // int(end))

        def attend(query: torch.Tensor = query, past: torch.Tensor = past, n: int = n) -> None:
            for _ in range(n):
                scores.kernel.over_past(query, past, past, None, scores.scale)

        costs.append(min(cpu_seconds(attend) for _ in range(5)) / n)
    each = np.interp(np.arange(prompt + 1, prompt + lengths.max() + 1), ends, costs)
    summed = np.concatenate(([0.0], np.cumsum(each)))
    return float(model.n_layers * sum(summed[length - 1] for length in lengths))


def without_attention(sample: Callable[[], object]) -> float:
    """Return the CPU-seconds of sampling with layers that attend to nothing."""
    attend = cache.CachedRows.attend
    cache.CachedRows.attend = (  # type: ignore[method-assign]
        lambda _self, _layer, query, _key, _value, _scores: query.transpose(1, 2)
    )
    try:
        return cpu_seconds(sample)
    finally:
        cache.CachedRows.attend = attend  # type: ignore[method-assign]


def plain_s(tokens: np.ndarray, longest: int, compute: torch.dtype) -> float:
    """Return the CPU-seconds of plain transformers for a batch up to the longest row's length."""
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(locate(DEFAULT_MODEL), dtype=compute)
    batch = torch.from_numpy(tokens.astype(np.int64))[None].expand(N_ROWS, -1)
    options = {"do_sample": True, "top_k": 0, "min_new_tokens": longest, "max_new_tokens": longest}
    return cpu_seconds(lambda: model.generate(batch, **options))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("--longest", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compute", choices=COMPUTE_DTYPES, default="float32")
    parser.add_argument("--plain", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    use_threads(1)
    keep_freed_memory()
    lengths = np.geomspace(SHORTEST, given.longest, N_ROWS).round().astype(int)
    fix_lengths(lambda row: int(lengths[row.index]))
    model = load_model(DEFAULT_MODEL)
    engine = LocalEngine(model, OPTIMIZER, token_budget=1024, max_rows=64, compute=given.compute)
    text = "Count as far as you can."
    tokens = model.tokenizer.encode_chat([Message(role="user", content=text)]).tokens
    sampling = Sampling(max_new_tokens=int(lengths.max()), group_size=N_ROWS)

    def sample() -> object:
        return engine.generate([Prompt(tokens=tokens, seed=1)], sampling)

    found: dict[str, list[float]] = {"ours": [], "ideal": []}
    for _ in range(given.repeats):
        found["ours"].append(cpu_seconds(sample))
        rest = without_attention(sample)
        found["ideal"].append(rest + own_attention_s(engine.model, lengths, len(tokens)))
    if given.plain:
        found["plain transformers"] = [
            plain_s(tokens, int(lengths.max()), COMPUTE_DTYPES[given.compute])
        ]
    ours = statistics.median(found["ours"])
    rows: list[Row] = [
        {
            "rows up to": given.longest,
            "type": given.compute,
            "what": name,
            "CPU-s": spread(seconds),
            "ours against it": ours / statistics.median(seconds),
        }
        for name, seconds in found.items()
    ]
    report(rows, given.json)


if __name__ == "__main__":
    main()
