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
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.attention_alone import no_attention, seconds_by_token
from benchmarks.common import DocstringHelp, Row, cpu_seconds, report, spread
from benchmarks.workload import OPTIMIZER, fix_lengths
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.threads import use_threads
from reasonrl.engines.weights import COMPUTE_DTYPES
from reasonrl.models.fetch import DEFAULT_MODEL, locate
from reasonrl.models.hf import load_model
from reasonrl.types import Message, Prompt, Sampling

N_ROWS, SHORTEST = 16, 64


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
        with no_attention():
            rest = cpu_seconds(sample)
        each = seconds_by_token(engine.model, prompt=len(tokens), tokens=int(lengths.max()))
        # A row's last token is sampled, and never attends.
        found["ideal"].append(rest + sum(float(each[: length - 1].sum()) for length in lengths))
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
