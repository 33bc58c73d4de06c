"""One GRPO step of SmolLM2-135M, in reasonrl and in TRL: CPU-seconds and peak memory.

All systems get the same weights, prompts, completion lengths and threads; TRL runs with its usual
generation, and with equal lengths also with its continuous batching. Each runs in a process of its
own that waits while the others work, and they take turns. A step is discarded if other programs
used more than 0.1 core. A run that discards too many steps reports nothing.

    python -m benchmarks.duel_trl [--lengths fixed geometric] [--dtype float32] [--json PATH]

Needs `pip install -e .[bench]` and 12 GB of memory; about 40 minutes with the defaults.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.common import machine_busy_s, report, spread

N_PROMPTS, GROUP, LIMIT = 8, 8, 64
FOREIGN_CORES = 0.1
PROMPTS = [f"What is {i} plus {i + 3}? Answer with the number only." for i in range(N_PROMPTS)]


def completion_lengths(kind: str) -> np.ndarray:
    """Return each completion's tokens, [P, G]: 64, or geometric with mean 16 and at most 64."""
    if kind == "fixed":
        return np.full((N_PROMPTS, GROUP), LIMIT)
    drawn = np.random.default_rng(0).geometric(1 / (LIMIT / 4), size=(N_PROMPTS, GROUP))
    return np.minimum(drawn, LIMIT)


# The two workers: each waits for a line, takes a step and prints the step's cost.


def wait_for_turn() -> None:
    if not sys.stdin.readline():
        raise SystemExit(0)


def tell(generate_s: float, update_s: float, tokens: int) -> None:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = {"generate_cpu_s": generate_s, "update_cpu_s": update_s, "cpu_s": generate_s + update_s}
    print("STEP " + json.dumps({**line, "peak_rss_mb": peak_mb, "tokens": tokens}), flush=True)


def work_reasonrl(kind: str, dtype: Any, threads: int) -> None:
    from benchmarks.workload import OPTIMIZER, fix_lengths, train_batch
    from reasonrl.algo.loss import Objective
    from reasonrl.engines.local import LocalEngine
    from reasonrl.engines.process import keep_freed_memory
    from reasonrl.engines.threads import use_threads
    from reasonrl.models.fetch import DEFAULT_MODEL
    from reasonrl.models.hf import load_model
    from reasonrl.types import Prompt, Sampling

    lengths = completion_lengths(kind)

    # The lengths are fixed in advance; the model's end-of-sequence tokens do not decide them.
    fix_lengths(lambda row: int(lengths[row.prompt, row.index]))
    use_threads(threads)
    keep_freed_memory()
    model = load_model(DEFAULT_MODEL)
    engine = LocalEngine(model, OPTIMIZER, compute=dtype, token_budget=576, max_rows=64)
    encode = model.tokenizer.hf
    prompts = [
        Prompt(tokens=np.asarray(encode(text)["input_ids"], dtype=np.int32), seed=number)
        for number, text in enumerate(PROMPTS)
    ]
    objective = Objective(
        clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
    )
    while True:
        wait_for_turn()
        start = time.process_time()
        groups = engine.generate(prompts, Sampling(max_new_tokens=LIMIT, group_size=GROUP))
        middle = time.process_time()
        batch = train_batch(prompts, groups)
        engine.update(batch, objective, learning_rate=1e-5)
        tell(middle - start, time.process_time() - middle, batch.n_tokens)


def work_trl_batching(kind: str, dtype: Any, threads: int) -> None:
    """Be TRL with its continuous batching, which takes no processor of logits: no row may end."""
    assert kind == "fixed"
    work_trl(kind, dtype, threads, batching=True)


def work_trl(kind: str, dtype: Any, threads: int, *, batching: bool = False) -> None:
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    import torch
    from datasets import Dataset
    from transformers import LogitsProcessor, LogitsProcessorList, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from reasonrl.models.fetch import DEFAULT_MODEL, locate

    torch.set_num_threads(threads)
    lengths = torch.as_tensor(completion_lengths(kind).ravel())
    clock = {"generate": 0.0, "tokens": 0, "start": 0.0}

    class ForceLengths(LogitsProcessor):
        """End row i with its end-of-sequence token after lengths[i] tokens, and not before."""

        def __init__(self, prompt: int, eos: int) -> None:
            self.prompt, self.eos = prompt, eos

        def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            scores[:, self.eos] = -torch.inf
            ending = lengths == ids.shape[1] - self.prompt + 1
            scores[ending & (lengths < LIMIT)] = -torch.inf
            scores[ending & (lengths < LIMIT), self.eos] = 0.0
            return scores

    class Trainer(GRPOTrainer):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            start = time.process_time()
            found = super()._generate(*args, **kwargs)
            clock["generate"] = time.process_time() - start
            return found

    class Turns(TrainerCallback):
        def on_step_begin(self, *_args: Any, **_kwargs: Any) -> None:
            wait_for_turn()
            clock["start"] = time.process_time()

        def on_step_end(self, *_args: Any, **_kwargs: Any) -> None:
            whole = time.process_time() - clock["start"]
            tell(clock["generate"], whole - clock["generate"], int(clock["tokens"]))

    def reward(completions: list[str], completion_ids: list[list[int]], **_: Any) -> list[float]:
        clock["tokens"] = sum(map(len, completion_ids))
        return [float(place % GROUP) for place in range(len(completions))]

    config = GRPOConfig(
        output_dir="/tmp/duel_trl", use_cpu=True, bf16=dtype == "bfloat16", fp16=False,
        learning_rate=1e-5, max_steps=1000, per_device_train_batch_size=16,
        gradient_accumulation_steps=N_PROMPTS * GROUP // 16, num_generations=GROUP,
        max_completion_length=LIMIT, temperature=1.0, beta=0.0, logging_strategy="no",
        save_strategy="no", report_to=[], gradient_checkpointing=False, use_vllm=False,
        model_init_kwargs={"dtype": "float32"}, shuffle_dataset=False, seed=0, disable_tqdm=True,
        dataloader_pin_memory=False, use_transformers_continuous_batching=batching,
        generation_kwargs={"eos_token_id": -1} if batching else None,
    )  # fmt: skip
    data = Dataset.from_list([{"prompt": text} for text in PROMPTS] * 4)
    trainer = Trainer(
        model=locate(DEFAULT_MODEL), reward_funcs=reward, args=config, train_dataset=data,
        callbacks=[Turns()],
    )  # fmt: skip
    plain, eos = trainer.model.generate, trainer.processing_class.eos_token_id

    def generate(*args: Any, **kwargs: Any) -> Any:
        force = ForceLengths(kwargs["input_ids"].shape[1], eos)
        return plain(*args, logits_processor=LogitsProcessorList([force]), **kwargs)

    if not batching:
        trainer.model.generate = generate
    trainer.train()


WORKERS = {"reasonrl": work_reasonrl, "trl": work_trl, "trl-batching": work_trl_batching}


def systems(kind: str) -> list[str]:
    """Return who takes part: continuous batching only where all completions are as long."""
    return [system for system in WORKERS if kind == "fixed" or system != "trl-batching"]


# The referee.


class Contestant:
    """A worker process and its undisturbed steps."""

    def __init__(self, system: str, kind: str, dtype: str, threads: int) -> None:
        self.system = system
        self.rows: list[dict[str, Any]] = []
        command = [sys.executable, "-m", "benchmarks.duel_trl", "--worker", system]
        command += ["--lengths", kind, "--dtype", dtype, "--threads", str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        self.usage = psutil.Process(self.process.pid)

    def step(self) -> dict[str, Any]:
        """Run one step; return its cost and the cores that other programs used in the meantime."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        before, own_before, start = machine_busy_s(), self._own_s(), time.perf_counter()
        for line in self.process.stdout:
            if line.startswith("STEP "):
                wall = time.perf_counter() - start
                own = self._own_s() - own_before
                others = max(0.0, machine_busy_s() - before - own) / wall
                return {**json.loads(line[5:]), "foreign_cores": others}
        raise SystemExit(f"the {self.system} worker ended; run it alone with --worker to see why")

    def _own_s(self) -> float:
        times = self.usage.cpu_times()
        return times.user + times.system


def duel(kind: str, dtype: str, threads: int, repeats: int) -> list[dict[str, Any]]:
    """Return the undisturbed steps of all systems, taken in turns."""
    contestants = [Contestant(system, kind, dtype, threads) for system in systems(kind)]
    try:
        for one in contestants:
            # The first steps include loading, allocation and the optimizer's new moments.
            for _ in range(2):
                one.step()
        for attempt in range(2 * repeats):
            for one in contestants if attempt % 2 else reversed(contestants):
                row = one.step()
                is_clean = row["foreign_cores"] <= FOREIGN_CORES
                print(f"{kind} {one.system}: {row}", "" if is_clean else "(disturbed)", flush=True)
                if is_clean and len(one.rows) < repeats:
                    head = {"system": one.system, "dtype": dtype, "lengths": kind}
                    one.rows.append({**head, "threads": threads, **row})
            if all(len(one.rows) == repeats for one in contestants):
                break
        else:
            raise SystemExit("other programs used more than 0.1 core; no figures. Try again later.")
    finally:
        for one in contestants:
            one.process.kill()
    assert len({row["tokens"] for one in contestants for row in one.rows}) == 1
    return [row for one in contestants for row in one.rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lengths", nargs="+", default=["fixed", "geometric"])
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        WORKERS[options.worker](options.lengths[0], options.dtype, options.threads)
        return
    rows: list[dict[str, Any]] = []
    summary = []
    for kind in options.lengths:
        found = duel(kind, options.dtype, options.threads, options.repeats)
        rows += found
        columns = ("cpu_s", "generate_cpu_s", "update_cpu_s", "peak_rss_mb")
        medians: dict[str, list[float]] = {}
        for system in systems(kind):
            own = [row for row in found if row["system"] == system]
            medians[system] = [statistics.median(row[name] for row in own) for name in columns]
            cells = {name: spread([row[name] for row in own]) for name in columns}
            summary.append({"lengths": kind, "dtype": options.dtype, "system": system, **cells})
        for system in systems(kind)[1:]:
            pairs = zip(columns, medians["reasonrl"], medians[system], strict=True)
            cells = {name: f"{ours / theirs:.2f}" for name, ours, theirs in pairs}
            named = {"lengths": kind, "dtype": options.dtype, "system": f"of {system}"}
            summary.append({**named, **cells})
    report(summary, None)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
