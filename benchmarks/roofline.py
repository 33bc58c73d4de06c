"""Useful FLOP/s of sampling and of an update against the machine's matrix-product peak.

Useful work is the work that the equations require: 2 FLOP per weight and token forward, 4 backward,
the head only where a token is predicted, and the products of attention. Repeated prompts, padding
and recomputation do not count. One thread, SmolLM2-135M. The peak is measured beside each repeat,
because other programs on the machine change it; in bfloat16 the logits have float32's peak and all
other products bfloat16's, weighted by the work.

    python -m benchmarks.roofline [--compute float32|bfloat16] [--json PATH]
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from benchmarks.common import Row, cpu_seconds, gemm_peak, report, spread
from benchmarks.workload import OPTIMIZER, fix_lengths, train_batch
from reasonrl.algo.loss import Objective
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.threads import use_threads
from reasonrl.engines.weights import COMPUTE_DTYPES, Compute
from reasonrl.models.fetch import DEFAULT_MODEL
from reasonrl.models.hf import LanguageModel, load_model
from reasonrl.types import Message, Prompt, Sampling

LIMIT, GROUP = 64, 8
OBJECTIVE = Objective(
    clip_low=0.2, clip_high=0.28, entropy_coefficient=0.005, kl_coefficient=0.0, temperature=1.0
)


def forward_flop(
    model: LanguageModel, prompt: int, completions: int, length: int
) -> tuple[float, float]:
    """Return the forward FLOP of layers and of head for one group.

    It has one prompt and `completions` of `length` tokens.
    """
    config: Any = model.module.config
    head = model.head.numel()
    body = sum(parameter.numel() for parameter in model.module.parameters()) - head
    fed = prompt + completions * (length - 1)
    width = config.num_attention_heads * model.cache_shape[1] * config.num_hidden_layers
    past = prompt * (prompt + 1) / 2 + completions * sum(prompt + i for i in range(1, length))
    return 2.0 * body * fed + 4.0 * width * past, 2.0 * head * completions * length


def peaks(compute: Compute, layers: float, head: float) -> tuple[float, float]:
    """Return the FLOP per CPU-second of sampling and of an update with each product at its peak.

    `layers` and `head` are the FLOP of the pass forward; only logits are always float32.
    """
    wide = gemm_peak()
    narrow = gemm_peak(dtype=COMPUTE_DTYPES[compute]) if compute != "float32" else wide
    forward_s = layers / narrow + head / wide
    update_s = forward_s + 2 * (layers + head) / narrow
    return (layers + head) / forward_s, 3 * (layers + head) / update_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--prompts", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--compute", choices=COMPUTE_DTYPES, default="float32")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    use_threads(1)
    keep_freed_memory()
    fix_lengths(lambda _row: LIMIT)
    model = load_model(DEFAULT_MODEL)
    engine = LocalEngine(model, OPTIMIZER, token_budget=1024, max_rows=256, compute=options.compute)
    question = model.tokenizer.encode_chat(
        [Message(role="user", content="What is 3 plus 5?")]
    ).tokens
    rows: list[Row] = []
    for n in options.prompts:
        prompts = [Prompt(tokens=question, seed=number) for number in range(n)]
        flop = forward_flop(model, len(question), GROUP, LIMIT)
        forward = n * sum(flop)
        rates: dict[str, list[tuple[float, float]]] = {"sampling": [], "update": []}
        for repeat in range(1 + options.repeats):
            before, _ = peaks(options.compute, *flop)
            groups: list[Any] = []
            sampled_s = cpu_seconds(
                lambda p=prompts, out=groups: out.extend(  # type: ignore[misc]
                    engine.generate(p, Sampling(max_new_tokens=LIMIT, group_size=GROUP))
                )
            )
            middle = peaks(options.compute, *flop)
            batch = train_batch(prompts, groups)
            updated_s = cpu_seconds(lambda b=batch: engine.update(b, OBJECTIVE, learning_rate=1e-6))
            _, after = peaks(options.compute, *flop)
            # The first repeat allocates memory and is not counted.
            if repeat:
                rates["sampling"].append((forward / sampled_s, (before + middle[0]) / 2))
                rates["update"].append((3 * forward / updated_s, (middle[1] + after) / 2))
        for phase, found in rates.items():
            shares = [rate / peak for rate, peak in found]
            rows.append(
                {
                    "phase": f"{phase}, {options.compute}",
                    "rollouts": n * GROUP,
                    "useful_gflops": statistics.median(rate for rate, _ in found) / 1e9,
                    "gemm_peak_gflops": statistics.median(peak for _, peak in found) / 1e9,
                    "share_of_peak": statistics.median(shares),
                    "spread": spread(shares),
                }
            )
    report(rows, options.json)


if __name__ == "__main__":
    main()
