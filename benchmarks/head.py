"""The streamed LM head against full logits: extra memory, CPU-seconds and the gradient's error.

Each case computes policy, entropy and KL terms together, from hidden states of width 576 to their
gradient and the gradient of the head. Extra memory is the peak above the inputs: hidden states,
weight and the weight's gradient buffer. Each case runs in a process of its own, on one thread.

    python -m benchmarks.head [--json PATH]
"""

from __future__ import annotations

import argparse
import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from benchmarks.common import Row, cpu_seconds, report
from reasonrl.algo.head import backward_through_head
from reasonrl.algo.loss import Objective, loss_sum

WIDTH = 576
CASES = [(n, vocabulary) for vocabulary in (49_152, 151_936) for n in (1024, 2048, 8192)]
OBJECTIVE = Objective(
    clip_low=0.2, clip_high=0.28, entropy_coefficient=0.01, kl_coefficient=0.02, temperature=0.9
)
# Four tensors of full logits that are larger than this do not fit into the machine's memory.
FULL_LIMIT_GB = 16.0


class Case:
    """One set of inputs, the same for both forms."""

    def __init__(self, n: int, vocabulary: int, dtype: torch.dtype = torch.float32) -> None:
        generator = torch.Generator().manual_seed(n)

        def normal(*size: int) -> Tensor:
            return torch.randn(size, generator=generator).to(dtype)

        self.hidden_ND = normal(n, WIDTH)
        self.weight_VD = (0.1 * normal(vocabulary, WIDTH)).requires_grad_()
        self.weight_VD.grad = torch.zeros_like(self.weight_VD)
        self.tokens_N = torch.randint(vocabulary, (n,), generator=generator)
        self.advantages_N = normal(n)
        self.old_N, self.reference_N = (-10 + 0.1 * normal(n) for _ in range(2))

    def loss(self, part: slice, logprobs: Tensor, entropy: Tensor) -> Tensor:
        total, _ = loss_sum(
            OBJECTIVE,
            logprobs_N=logprobs,
            entropy_N=entropy,
            # Old and reference policies are close to this policy, so that all three terms have a
            # gradient.
            old_logprobs_N=logprobs.detach() + 0.01 * (self.old_N[part] + 10),
            advantages_N=self.advantages_N[part],
            ref_logprobs_N=logprobs.detach() + (self.reference_N[part] + 10),
        )
        return total / len(self.tokens_N)

    def streamed(self) -> tuple[Tensor, Tensor]:
        at_hidden = backward_through_head(
            self.hidden_ND, self.weight_VD, self.tokens_N, OBJECTIVE.temperature, self.loss
        )
        assert self.weight_VD.grad is not None
        return at_hidden, self.weight_VD.grad

    def full(self) -> tuple[Tensor, Tensor]:
        hidden = self.hidden_ND.clone().requires_grad_()
        logprobs = torch.log_softmax(hidden @ self.weight_VD.T / OBJECTIVE.temperature, -1)
        entropy = -(logprobs.exp() * logprobs).sum(-1)
        chosen = logprobs.gather(-1, self.tokens_N[:, None]).squeeze(-1)
        self.loss(slice(None), chosen, entropy).backward()
        assert hidden.grad is not None
        assert self.weight_VD.grad is not None
        return hidden.grad, self.weight_VD.grad


def peak_gb_above(work: Callable[[], object]) -> float:
    """Return the rise of the resident memory during a call in GB, sampled every 2 ms."""
    own, done = psutil.Process(), threading.Event()
    before = highest = own.memory_info().rss

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.002):
            highest = max(highest, own.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return (highest - before) / 1e9


def measure(n: int, vocabulary: int, form: str, out: Any) -> None:
    torch.set_num_threads(1)
    case = Case(n, vocabulary)
    work = case.streamed if form == "streamed" else case.full
    extra_gb = peak_gb_above(work)
    seconds = cpu_seconds(work)
    out.put((extra_gb, seconds))


def in_own_process(n: int, vocabulary: int, form: str) -> tuple[float, float]:
    context = multiprocessing.get_context("spawn")
    out = context.SimpleQueue()
    process = context.Process(target=measure, args=(n, vocabulary, form, out))
    process.start()
    found = out.get()
    process.join()
    return found


def gradient_error(dtype: torch.dtype) -> float:
    """Return the largest relative difference of the two forms for 300 tokens at V = 2,000."""
    streamed, full = Case(300, 2000, dtype).streamed(), Case(300, 2000, dtype).full()
    pairs = zip(streamed, full, strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    error = gradient_error(torch.float32)
    rows: list[Row] = []
    for n, vocabulary in CASES:
        for form in ("streamed", "full"):
            row: dict[str, Any] = {"tokens": n, "vocabulary": vocabulary, "form": form}
            if form == "full" and 4 * 4 * n * vocabulary / 1e9 > FULL_LIMIT_GB:
                row |= {"extra_gb": "does not fit", "cpu_s": "-"}
            else:
                extra_gb, seconds = in_own_process(n, vocabulary, form)
                row |= {"extra_gb": extra_gb, "cpu_s": seconds}
            rows.append({**row, "gradient_error": error if form == "streamed" else 0.0})
            print(rows[-1], flush=True)
    report(rows, options.json)


if __name__ == "__main__":
    main()
