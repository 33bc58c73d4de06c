"""A GPU that runs out of memory ends the run with what to change, and the run goes on with it."""

from __future__ import annotations

import pytest
import torch

import reasonrl
from reasonrl.engines.local import LocalEngine
from reasonrl.errors import EngineError
from reasonrl.models.hf import load_model
from tests.conftest import OPTIMIZER
from tests.e2e.support import metrics_of
from tests.e2e.support import reasonrl_here as here

SHORT = {
    "engine.threads": 1, "suite": [], "checkpoint.every": 1, "stage.1.steps": 3, "stage.2.steps": 1,
}  # fmt: skip


class FullEngine(LocalEngine):
    """An engine whose second update asks for more memory than there is, as torch says it."""

    updates = 0

    def update(self, *batch, **options):
        self.updates += 1
        if self.updates == 2:
            raise torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of ..."
            )
        return super().update(*batch, **options)


def test_a_full_gpu_is_an_error_that_names_the_keys_and_the_run_goes_on_with_one(tmp_path):
    engine = FullEngine(load_model("tiny", seed=1), OPTIMIZER, token_budget=4096, max_rows=64)
    run = tmp_path / "run"
    with pytest.raises(EngineError) as raised:
        reasonrl.train(
            reasonrl.load_recipe("tiny", SHORT), run, quiet=True, rollout=engine, learner=engine
        )
    said = str(raised.value)
    assert "the GPU's memory is full: CUDA out of memory" in said
    for key in ("engine.token_budget", "engine.offload", "engine.rollout.memory_share"):
        assert key in said
    assert f"reasonrl resume {run} --set" in said
    done = here("resume", run, "--set", "engine.token_budget=64")
    assert done.returncode == 0, done.stderr
    assert len(metrics_of(run)) == 4
