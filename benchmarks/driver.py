"""The parts of a training step outside the model: seconds and memory at the report's size.

A fake engine returns completions of up to 16,384 tokens without delay. Sampler, tokenizer,
verifier, selection, batch, packing, metrics, rollout files and checkpointed state are real. Each
group size runs in a process of its own, to show whether the cost is linear in rollouts.

    python -m benchmarks.driver [--problems 256] [--groups 4 8 16] [--json PATH]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Row, report
from reasonrl.algo.loss import Objective
from reasonrl.engines.packing import microbatches
from reasonrl.engines.protocols import SUMS, Finished, Progress, TrainBatch, UpdateStats
from reasonrl.engines.weights import Weights
from reasonrl.launch.judges import judge_with
from reasonrl.loop.state import initial_state
from reasonrl.loop.trainer import Trainer
from reasonrl.models.fetch import DEFAULT_MODEL
from reasonrl.models.hf import load_model
from reasonrl.models.tokenizer import ChatTokenizer
from reasonrl.recipe.toml import load_recipe
from reasonrl.rollout.problems import encode_problems
from reasonrl.run.record import RunRecorder
from reasonrl.types import Completion, Message, Problem, Prompt, Sampling, StopReason, Tokens
from reasonrl.verify import Verifier

LIMIT = 16_384
TOKEN_BUDGET = 32_768
RECIPE = Path(__file__).parents[1] / "recipes" / "tiny.toml"
THOUGHT = "Let me check that again: if x + 3 = 10 then x = 7, and 2x - 1 = 13. Wait, so "


class FakeEngine:
    """An engine that returns texts of uniform lengths with a boxed answer, and learns nothing.

    It has the methods that an on-policy step without a KL penalty calls on the two engines. Half of
    the answers are right; a tenth of the completions is cut off.
    """

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        def encode(text: str) -> Tokens:
            return np.asarray(tokenizer.hf(text)["input_ids"], dtype=np.int32)

        self.thinking = np.resize(encode(THOUGHT * 20), LIMIT)
        self.endings = [encode(f"\\boxed{{{number}}}<|im_end|>") for number in range(2)]
        rng = np.random.default_rng(0)
        self.logprobs = -rng.exponential(0.4, size=LIMIT).astype(np.float32)

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        rng = np.random.default_rng(prompts[0].seed)
        return [
            [self._completion(rng) for _ in range(sampling.group_size)] for _ in range(len(prompts))
        ]

    def _completion(self, rng: np.random.Generator) -> Completion:
        if rng.random() < 0.1:
            return Completion(
                tokens=self.thinking, logprobs=self.logprobs, stop=StopReason.LENGTH, version=0
            )
        ending = self.endings[rng.integers(2)]
        start, length = rng.integers(64), rng.integers(1, LIMIT - 100)
        tokens = np.concatenate((self.thinking[start : start + length], ending))
        return Completion(
            tokens=tokens, logprobs=self.logprobs[-len(tokens) :], stop=StopReason.STOP, version=0
        )

    def update(
        self,
        batch: TrainBatch,
        objective: Objective,
        *,
        learning_rate: float,
        progress: Progress | None = None,
    ) -> UpdateStats:
        laid_out = microbatches(batch, token_budget=TOKEN_BUDGET, device="cpu")
        return UpdateStats.of(
            batch,
            dict.fromkeys(SUMS, 0.0) | {"ratio": float(batch.n_tokens)},
            n_microbatches=sum(1 for _ in laid_out),
            gradient_norm=1.0,
            logprobs_N=batch.rollout_logprobs_N,
            entropies_N=-batch.rollout_logprobs_N,
        )

    def weights(self) -> Weights:
        return Weights(tensors={}, version=0)

    def load_weights(self, weights: Weights, *, version: int) -> None: ...

    def reset_optimizer(self) -> None: ...


class Quiet:
    """A display that shows nothing."""

    def note(self, text: str) -> None: ...
    def step(self, metrics: object, *, total: int) -> None: ...
    def phase(self, name: str, total: int) -> Any:
        return nullcontext(lambda _done: None)


def measure(n_problems: int, group_size: int, out: Any) -> None:
    recipe = load_recipe(
        RECIPE,
        (
            f"rollout.prompts_per_step={n_problems}", f"rollout.group_size={group_size}",
            f"stage.2.rollout.group_size={group_size}", "stage.1.steps=1", "stage.2.steps=1",
            f"rollout.max_new_tokens={LIMIT}", "suite=[]", "verify.workers=1",
        ),
    )  # fmt: skip
    tokenizer = load_model(DEFAULT_MODEL).tokenizer
    problems = [
        Problem(
            id=f"p{number}",
            prompt=(Message(role="user", content=f"Problem {number}: what is x? " * 20),),
            answer="1",
        )
        for number in range(n_problems)
    ]
    encoded = encode_problems(problems, tokenizer, system_prompt=None)
    engine = FakeEngine(tokenizer)
    base_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as name, Verifier(workers=1, deadline_s=3.0) as verifier:
        trainer = Trainer(
            recipe=recipe, engine=engine, learner=engine, tokenizer=tokenizer,
            judge=judge_with(verifier), pools=[encoded, encoded], suites={},
            recorder=RunRecorder(Path(name)), display=Quiet(), save=lambda _state: None,
            should_stop=lambda: bool(trainer.state.step), state=initial_state(recipe),
        )  # fmt: skip
        start, cpu = time.perf_counter(), time.process_time()
        trainer.run()
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        row = RunRecorder(Path(name)).metrics()[0]
        files_mb = sum(path.stat().st_size for path in Path(name).rglob("*.parquet")) / 1e6
    out.put(
        {
            "problems": n_problems, "group": group_size, "rollouts": n_problems * group_size,
            "tokens_millions": float(row["update/tokens"]) / 1e6,
            "wall_s": wall, "cpu_s": cpu,
            "rollout_s": row["time/rollout_s"], "update_s": row["time/update_s"],
            "ms_per_rollout": 1e3 * wall / (n_problems * group_size),
            "base_mb": base_mb,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "rollout_file_mb": files_mb,
        }
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", type=int, default=256)
    parser.add_argument("--groups", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    rows: list[Row] = []
    for group in options.groups:
        out = context.SimpleQueue()
        process = context.Process(target=measure, args=(options.problems, group, out))
        process.start()
        rows.append(out.get())
        process.join()
    report(rows, options.json)


if __name__ == "__main__":
    main()
