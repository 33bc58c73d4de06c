"""The row `seeds`: what a seed for each request costs vLLM in speed."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from reasonrl.engines.trial import prompts_of
from reasonrl.engines.vllm import VllmEngine
from reasonrl.gpu.commands import compute_of
from reasonrl.gpu.row import CheckSetting, Figure, RowAnswer
from reasonrl.gpu.subject import (
    directory_of,
    learner_of,
    vllm_beside,
)
from reasonrl.launch.actors import vllm_settings
from reasonrl.types import Sampling

_ROUNDS = 3
_GPU_TOKENS, _CPU_TOKENS = 256, 48
_GROUP = 16


def answer(setting: CheckSetting, work: Path) -> RowAnswer:
    """Return vLLM's speed with and without seeds, in turn, after a round that is not counted."""
    directory, compute = directory_of(setting, work), compute_of(setting)
    holder = learner_of(directory, replace(setting, device="cpu"), compute)
    prompts = prompts_of(holder.model)
    n_tokens = _CPU_TOKENS if setting.device == "cpu" else _GPU_TOKENS
    sampling = Sampling(max_new_tokens=n_tokens, group_size=_GROUP)
    settings = vllm_settings(*vllm_beside(setting, directory, compute))
    speeds: dict[bool, list[float]] = {True: [], False: []}
    # No id ends a rollout, so that all rounds sample the same number of tokens.
    with VllmEngine(replace(settings, eos_ids=())) as engine:
        engine.load_weights(holder.weights(), version=0)
        engine.generate(prompts, sampling)
        for _ in range(_ROUNDS):
            for has_seeds, measured in speeds.items():
                engine.has_seeds = has_seeds
                started = time.perf_counter()
                groups = engine.generate(prompts, sampling)
                seconds = time.perf_counter() - started
                n_sampled = sum(len(one.tokens) for group in groups for one in group)
                measured.append(n_sampled / seconds)
    seeded, free = median(speeds[True]), median(speeds[False])
    return RowAnswer(
        figures=(
            Figure(name="with seeds", value=seeded, unit="tokens/s"),
            Figure(name="without seeds", value=free, unit="tokens/s"),
            Figure(name="with seeds / without", value=seeded / free),
        ),
        facts=(("rollouts side by side", str(_GROUP * len(prompts))), ("tokens", str(n_tokens))),
    )
