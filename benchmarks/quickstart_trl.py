"""Seconds of training until 0.60 of the held-out problems are right, in reasonrl and in TRL.

All systems get the model, problems, rewards and hyperparameters of `quickstart_trl.toml`: reasonrl,
which chooses its type as the quickstart does, and TRL in float32 and in bfloat16. They run one
after the other with all cores, each in a process of its own; the order alternates with the seed.
After every step the same code evaluates avg@8, and the clock is stopped in the meantime. If
other programs used more than 0.1 core during a pair, the benchmark stops without figures.

    python -m benchmarks.quickstart_trl [--seeds 1 2 3] [--json PATH]

Needs `pip install -e .[bench]`; takes about 15 minutes per seed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common import Row, machine_busy_s, report
from benchmarks.duel_trl import FOREIGN_CORES
from benchmarks.workload import OPTIMIZER
from reasonrl.recipe import Recipe
from reasonrl.recipe.toml import load_recipe

GOAL = 0.60
RECIPE = Path(__file__).with_suffix(".toml")


def tell(step: int, wall_s: float, accuracy: float) -> None:
    line = {"step": step, "wall_s": wall_s, "accuracy": accuracy}
    print("STEP " + json.dumps(line), flush=True)


def work_reasonrl(recipe: Recipe) -> None:
    from reasonrl.launch.train import train
    from reasonrl.run.record import RunRecorder
    from reasonrl.terminal import Console

    with tempfile.TemporaryDirectory() as directory:
        train(recipe, Path(directory) / "run", Console())
        record = RunRecorder(Path(directory) / "run")
        wall_s = {0: 0.0}
        for row in record.metrics():
            wall_s[int(str(row["step"]))] = float(str(row["time/step_s"]))
        spent = 0.0
        for result in record.evaluations():
            spent += wall_s.pop(result.step, 0.0)
            tell(result.step, spent, result.accuracy.value)


def work_trl_bfloat16(recipe: Recipe) -> None:
    work_trl(recipe, bf16=True)


def work_trl(recipe: Recipe, *, bf16: bool = False) -> None:
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from reasonrl.engines.local import LocalEngine
    from reasonrl.evaluation.suite import evaluate_suite
    from reasonrl.launch.judges import judge_with, make_verifier
    from reasonrl.models.fetch import locate
    from reasonrl.models.hf import load_model
    from reasonrl.rollout.pools import encode_pools, load_problem_lists, sources_of
    from reasonrl.terminal import Console
    from reasonrl.types import Sampling, StopReason, Task, VerifyItem

    (stage,), (suite,) = recipe.stage, recipe.suite
    size = stage.rollout.group_size
    model = load_model(recipe.model.name)
    # This engine only evaluates; TRL trains its own copy of the model.
    engine = LocalEngine(model, OPTIMIZER, token_budget=1024, max_rows=128)
    pools = encode_pools(
        recipe, load_problem_lists(sources_of(recipe)), model.tokenizer, model.context
    )
    judge = judge_with(make_verifier(recipe.verify))
    clock = {"spent": 0.0, "start": 0.0}

    def reward(
        completions: list[Any], completion_ids: list[list[int]], answer: list[str], **_: Any
    ) -> list[float]:
        answers = [
            VerifyItem(
                task=Task(kind="math", answer=gold),
                response=turns[0]["content"],
                stop_reason=StopReason.STOP if ids[-1] in model.eos_ids else StopReason.LENGTH,
            )
            for turns, ids, gold in zip(completions, completion_ids, answer, strict=True)
        ]
        return [float(verdict.reward or 0) for verdict in judge(answers)]

    def evaluate(step: int) -> float:
        sampling = Sampling(max_new_tokens=suite.max_new_tokens, group_size=suite.k)
        result = evaluate_suite(
            suite.name, engine, model.tokenizer, judge, pools.suites[suite.name], sampling,
            run_seed=recipe.seed, step=step, max_failed_share=0.5, phase=Console().phase,
        )  # fmt: skip
        tell(step, clock["spent"], result.accuracy.value)
        return result.accuracy.value

    class Clock(TrainerCallback):
        def on_step_begin(self, *_args: Any, **_kwargs: Any) -> None:
            clock["start"] = time.perf_counter()

        def on_step_end(self, _args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
            clock["spent"] += time.perf_counter() - clock["start"]
            model.module.load_state_dict(trainer.model.state_dict())
            control.should_training_stop |= evaluate(state.global_step) >= GOAL

    rows = 16  # completions per microbatch
    settings, update = recipe.optimizer, stage.update
    config = GRPOConfig(
        output_dir="/tmp/quickstart_trl", use_cpu=True, bf16=bf16, fp16=False,
        max_steps=stage.steps, per_device_train_batch_size=rows,
        gradient_accumulation_steps=stage.rollout.prompts_per_step * size // rows,
        num_generations=size, max_completion_length=stage.rollout.max_new_tokens,
        temperature=stage.rollout.temperature, learning_rate=update.learning_rate,
        lr_scheduler_type="constant", warmup_steps=0, beta=update.kl_coefficient,
        epsilon=update.clip_low, epsilon_high=update.clip_high, optim="adamw_torch_fused",
        adam_beta1=settings.beta1, adam_beta2=settings.beta2, adam_epsilon=settings.epsilon,
        weight_decay=settings.weight_decay, max_grad_norm=settings.max_gradient_norm,
        logging_strategy="no", save_strategy="no", report_to=[], gradient_checkpointing=False,
        use_vllm=False, model_init_kwargs={"dtype": "float32"}, seed=recipe.seed,
        disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    system = {"role": "system", "content": recipe.model.system_prompt}
    data = [
        {
            "prompt": [system, *({"role": m.role, "content": m.content} for m in problem.prompt)],
            "answer": problem.answer,
        }
        for problem in (item.problem for item in pools.stages[0])
    ]
    trainer = GRPOTrainer(
        model=locate(recipe.model.name), reward_funcs=reward, args=config,
        train_dataset=Dataset.from_list(data), callbacks=[Clock()],
    )  # fmt: skip
    evaluate(0)
    trainer.train()


WORKERS = {"reasonrl": work_reasonrl, "trl": work_trl, "trl-bfloat16": work_trl_bfloat16}


def race(system: str, seed: int) -> dict[str, Any]:
    """Return the first step at which a system reached the goal, and the seconds until this step."""
    command = [sys.executable, "-m", "benchmarks.quickstart_trl", "--worker", system]
    busy, own, start = machine_busy_s(), _children_s(), time.perf_counter()
    seen: list[dict[str, Any]] = []
    with subprocess.Popen(
        [*command, "--seeds", str(seed)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        for line in process.stdout:
            if line.startswith("STEP "):
                seen.append(json.loads(line.removeprefix("STEP ")))
                print(system, f"seed {seed}:", seen[-1], flush=True)
    wall = time.perf_counter() - start
    others = (machine_busy_s() - busy - (_children_s() - own)) / wall
    reached = [row for row in seen if row["accuracy"] >= GOAL]
    if process.returncode or not reached:
        raise SystemExit(f"the {system} worker did not get there; see why with --worker {system}")
    return {"system": system, "seed": seed, "foreign_cores": others, **reached[0]}


def _children_s() -> float:
    times = psutil.Process().cpu_times()
    return float(times.children_user + times.children_system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        WORKERS[options.worker](load_recipe(RECIPE, [f"seed={options.seeds[0]}"]))
        return
    rows: list[Row] = []
    ratios = []
    for number, seed in enumerate(options.seeds):
        pair = {
            system: race(system, seed)
            for system in (WORKERS if number % 2 else reversed(list(WORKERS)))
        }
        if max(row["foreign_cores"] for row in pair.values()) > FOREIGN_CORES:
            raise SystemExit("other programs used more than 0.1 core; no figures. Try again later.")
        rows += pair.values()
        faster = min(pair["trl"]["wall_s"], pair["trl-bfloat16"]["wall_s"])
        ratios.append(pair["reasonrl"]["wall_s"] / faster)
    report(rows, options.json)
    median = statistics.median(ratios)
    print(f"\nreasonrl / the faster TRL: median {median:.2f} of {len(ratios)} seeds")


if __name__ == "__main__":
    main()
