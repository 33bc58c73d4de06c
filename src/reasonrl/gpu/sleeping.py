"""The row `sleep`: memory of a GPU while vLLM and the learner take turns on it. Needs a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from reasonrl.engines.checksums import differing
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.process import free_blocks
from reasonrl.engines.trial import SAMPLING, UPDATE, batch_of, prompts_of
from reasonrl.engines.vllm import VllmEngine
from reasonrl.gpu.commands import compute_of
from reasonrl.gpu.row import CheckSetting, Figure, RowAnswer
from reasonrl.gpu.subject import (
    RATE,
    directory_of,
    learner_of,
    vllm_beside,
)
from reasonrl.launch.actors import vllm_settings
from reasonrl.planning.gpus import GIB
from reasonrl.planning.parts import IDLE_BYTES
from reasonrl.types import Completion, Prompt

_SAME = 0.75
"""The share of completions that must be the same after waking; nobody has measured it yet. Equal
weights give equal tokens unless sums change their order, and then few; other weights change nearly
all completions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    """The bytes of the GPU in use at each turn, by all its processes."""

    empty: int
    learning: int
    awake: int
    asleep: int
    awake_again: int
    at_rest: int


def answer(setting: CheckSetting, work: Path) -> RowAnswer:
    """Return what the GPU holds at each turn, and whether vLLM wakes as it fell asleep."""
    directory, compute = directory_of(setting, work), compute_of(setting)
    empty = _used_bytes()
    learner = learner_of(directory, setting, compute)
    prompts = prompts_of(learner.model)
    batch = batch_of(prompts, learner.generate(prompts, SAMPLING))
    # The moments exist after an update.
    learner.update(batch, UPDATE, learning_rate=RATE)
    learning = _resting(setting)
    with VllmEngine(vllm_settings(*vllm_beside(setting, directory, compute))) as engine:
        first = _sampled(engine, learner, prompts, version=1)
        awake = _used_bytes()
        engine.rest()
        asleep = _resting(setting)
        again = _sampled(engine, learner, prompts, version=2)
        n_other = len(differing(learner.weights().checksums(), engine.checksums()))
        awake_again = _used_bytes()
        engine.rest()
        learner.rest()
        at_rest = _resting(setting)
        # An engine that is awake ends without a complaint about memory.
        engine.load_weights(learner.weights(), version=3)
    sizes = _Sizes(
        empty=empty,
        learning=learning,
        awake=awake,
        asleep=asleep,
        awake_again=awake_again,
        at_rest=at_rest,
    )
    return RowAnswer(
        figures=(
            *_figures(sizes),
            Figure(name="weights with other checksums after waking", value=n_other, high=0),
            Figure(name="same completions after waking", value=_same(first, again), low=_SAME),
        )
    )


def _figures(sizes: _Sizes) -> Iterator[Figure]:
    """Yield what the GPU holds at each turn, and what each side leaves behind."""
    by_turn = {
        "before the learner": sizes.empty,
        "with the learner": sizes.learning,
        "with vLLM awake": sizes.awake,
        "with vLLM asleep": sizes.asleep,
        "with vLLM awake again": sizes.awake_again,
        "with both at rest": sizes.at_rest,
    }
    for name, used in by_turn.items():
        yield Figure(name=name, value=used / GIB, unit="GiB")
    most = IDLE_BYTES / GIB
    left = sizes.asleep - sizes.learning
    share = (sizes.awake - sizes.asleep) / max(1, sizes.awake - sizes.learning)
    yield Figure(name="share of vLLM's memory that came back", value=share)
    yield Figure(name="left of vLLM asleep", value=left / GIB, unit="GiB", high=most)
    of_learner = sizes.at_rest - left - sizes.empty
    yield Figure(
        name="left of the learner with engine.offload",
        value=of_learner / GIB,
        unit="GiB",
        high=most,
    )


def _sampled(
    engine: VllmEngine, learner: LocalEngine, prompts: list[Prompt], *, version: int
) -> list[Completion]:
    """Give vLLM the learner's weights and return completions of all prompts, one after another."""
    engine.load_weights(learner.weights(), version=version)
    return [one for group in engine.generate(prompts, SAMPLING) for one in group]


def _same(first: list[Completion], again: list[Completion]) -> float:
    equal = [
        np.array_equal(one.tokens, other.tokens) for one, other in zip(first, again, strict=True)
    ]
    return sum(equal) / len(equal)


def _resting(setting: CheckSetting) -> int:
    """Return the bytes in use once freed blocks have gone back to the driver."""
    free_blocks(setting.device)
    return _used_bytes()


def _used_bytes() -> int:
    """Return the bytes of the GPU in use, by all its processes."""
    torch.cuda.synchronize()
    free, total = torch.cuda.mem_get_info()
    return total - free
