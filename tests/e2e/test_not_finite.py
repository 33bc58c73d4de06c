"""A run whose numbers stop being numbers ends with a command that goes on, and the command runs."""

from __future__ import annotations

import json
import shlex

import pytest
import torch

import reasonrl
from reasonrl.engines.local import LocalEngine
from reasonrl.errors import NotFiniteError
from reasonrl.models import layers
from reasonrl.models.hf import load_model
from reasonrl.run.config import read_config
from tests.conftest import OPTIMIZER
from tests.e2e.support import metrics_of
from tests.e2e.support import reasonrl_here as here

SHORT = {
    "engine.threads": 1, "suite": [], "checkpoint.every": 1, "checkpoint.keep": 9,
    "stage.1.steps": 4, "stage.2.steps": 1,
}  # fmt: skip


class SpoiledEngine(LocalEngine):
    """An engine with a weight that is not a number from one of its updates on."""

    def __init__(self, *, at_update: int) -> None:
        model = load_model("tiny", seed=1)
        super().__init__(model, OPTIMIZER, token_budget=4096, max_rows=64)
        self._left = at_update

    def update(self, *batch, **options):
        self._left -= 1
        if self._left == 0:
            with torch.no_grad(), layers.writing_weights(self.model.module):
                next(self.model.module.parameters()).fill_(float("nan"))
        return super().update(*batch, **options)


@pytest.mark.parametrize(("at_update", "branches_at"), [(1, None), (2, None), (4, 2)])
def test_the_command_that_a_spoiled_run_advises_runs(at_update, branches_at, tmp_path):
    engine = SpoiledEngine(at_update=at_update)
    run = tmp_path / "run"
    recipe = reasonrl.load_recipe("tiny", SHORT)
    with pytest.raises(NotFiniteError) as raised:
        reasonrl.train(recipe, run, quiet=True, rollout=engine, learner=engine)
    taken = [row for row in metrics_of(run) if row["update/n"]] if at_update > 1 else []
    assert len(taken) == at_update - 1
    command = shlex.split(str(raised.value).split("`")[-2])
    assert command[:3] == ["reasonrl", "train", str(run / "config.toml")]
    assert ("--from" in command) == (branches_at is not None)
    if branches_at is not None:
        assert command[4] == f"{run}@{branches_at}"
        assert taken[-1]["step"] > branches_at
    other = tmp_path / "other"
    done = here(*command[1:], "--run-dir", other)
    assert done.returncode == 0, done.stderr
    assert read_config(other).stage[0].update.learning_rate == pytest.approx(2e-4)
    assert json.loads((other / "summary.json").read_text())["steps"] == 5
