"""What one rank keeps in memory, on a process group of one."""

from __future__ import annotations

import pytest
from torch.distributed.tensor import DTensor

from reasonrl.engines.fsdp import FsdpLearner, join
from reasonrl.engines.protocols import TokenValue
from reasonrl.engines.transfer import meeting
from reasonrl.launch.actors import adapted
from reasonrl.models.hf import load_model, outline_model
from reasonrl.recipe import LoraConfig
from reasonrl.types import Sampling
from tests.conftest import OPTIMIZER, TEXTS, batch_of, prompts_of


@pytest.fixture
def alone(model_dir):
    """A function that makes the only rank of a learner."""
    # The store lives as long as this fixture.
    _store, address = meeting("127.0.0.1")
    ranks = join(rank=0, world=1, address=address)
    name, lora = str(model_dir), LoraConfig(rank=4)
    yield lambda **options: FsdpLearner(
        lambda: adapted(outline_model(name), lora if options.get("lora") else None, seed=0),
        lambda: adapted(load_model(name), lora if options.get("lora") else None, seed=0),
        ranks,
        OPTIMIZER,
        token_budget=80,
        keep_reference=True,
        compute=options.get("compute", "float32"),
    )
    ranks.leave()


def test_a_reference_frees_its_gathered_embedding_and_head_after_it_has_scored(alone, local):
    """FSDP keeps them for a backward pass, which a reference never has."""
    learner = alone()
    prompts = prompts_of(local, TEXTS)
    batch = batch_of(prompts, local.generate(prompts, Sampling(max_new_tokens=12, group_size=6)))
    learner.at_tokens(batch, TokenValue.REFERENCE_LOGPROBS, temperature=1.0)
    assert isinstance(learner._reference.lm_head.weight, DTensor)
    assert isinstance(learner._reference.model.embed_tokens.weight, DTensor)


def test_adapters_on_ranks_keep_no_second_model_and_frozen_layers_in_bfloat16(alone):
    learner = alone(lora=True, compute="bfloat16")
    assert learner._reference is learner.module
    types = {str(value.dtype) for _, value in learner.module.named_parameters()}
    assert types == {"torch.float32", "torch.bfloat16"}
    frozen = dict(learner.module.named_parameters())["model.layers.0.mlp.up_proj.base_layer.weight"]
    assert str(frozen.dtype) == "torch.bfloat16"
