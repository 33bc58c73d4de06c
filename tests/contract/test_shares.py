"""The rows that two ranks hold, put together, are the weights that FSDP gathers."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

from reasonrl.engines.fsdp import FsdpLearner
from reasonrl.engines.fsdp.processes import run_on_ranks
from reasonrl.engines.fsdp.weights import layout_of_module
from reasonrl.engines.transfer import share
from reasonrl.launch.actors import adapted
from reasonrl.models.hf import load_model, outline_model
from reasonrl.recipe import LoraConfig
from tests.conftest import OPTIMIZER

WORLD = 2


def put_together(model, lora, file, ranks):
    """On each rank: gather the weights, and put the shares of all ranks together, too."""
    learner = FsdpLearner(
        lambda: adapted(outline_model(model), lora, seed=0),
        lambda: adapted(load_model(model), lora, seed=0),
        ranks, OPTIMIZER, token_budget=80, compute="bfloat16",
    )  # fmt: skip
    draw = torch.Generator().manual_seed(ranks.rank)
    with torch.no_grad():  # adapters begin as zero
        for parameter in learner.module.parameters():
            mine = parameter.to_local()
            mine.add_(0.05 * torch.randn(mine.shape, generator=draw))
    gathered = dict(learner.weights().tensors)
    layout = layout_of_module(learner.module, torch.bfloat16, ranks=WORLD, bucket_bytes=50_000)
    assert len(layout.buckets) > 3
    opened = {}
    for number, mine in enumerate(learner.pieces(layout)):
        array = share(layout, number, ranks.rank, mine)
        arrays = [array.new_empty(layout.nbytes(number, rank)) for rank in range(WORLD)]
        for rank in range(WORLD):
            arrays[rank] = array if rank == ranks.rank else arrays[rank]
            dist.broadcast(arrays[rank], rank)
        opened |= layout.opened(number, arrays)
    assert opened.keys() == gathered.keys() == set(layout.names)
    for name, value in gathered.items():
        assert opened[name].dtype == torch.bfloat16
        # Adapters are merged in products of other shapes, which may round otherwise.
        far = 2**-7 if lora else 0.0
        assert torch.allclose(opened[name], value, rtol=far, atol=0.0), name
    held = [sum(layout.nbytes(n, rank) for n in range(len(layout.buckets))) for rank in (0, 1)]
    if ranks.rank == 0:
        save_file({"held": torch.tensor(held)}, file)


@pytest.mark.parametrize("lora", [None, LoraConfig(rank=4)], ids=["whole", "adapters"])
def test_shares_of_ranks_are_the_gathered_weights(tmp_path, model_dir, lora):
    file = tmp_path / "held.safetensors"
    work = partial(put_together, str(model_dir), lora, file)
    run_on_ranks(work, world=WORLD, device="cpu", where="test")
    first, second = load_file(file)["held"].tolist()
    assert 0.5 < first / second < 2.0  # no rank gives more than its part
