"""What can be said of vLLM's start without vLLM."""

from __future__ import annotations

import pytest

from reasonrl.engines.vllm.settings import await_free_memory
from reasonrl.engines.vllm.worker import state_names
from reasonrl.errors import EngineError


def test_the_start_waits_for_memory_that_a_killed_process_still_holds():
    free = iter([0.1, 0.1, 0.6])
    await_free_memory(0.5, lambda: next(free), seconds=1.0)
    assert next(free, None) is None


def test_memory_that_stays_taken_is_an_error_that_says_what_to_do():
    with pytest.raises(EngineError, match=r"10% of the GPU's memory is free.*nvidia-smi"):
        await_free_memory(0.5, lambda: 0.1, seconds=0.05)


def test_a_fused_weight_answers_for_all_its_members():
    packed = {"qkv_proj": ["q_proj", "k_proj", "v_proj"]}
    assert state_names("model.layers.0.self_attn.qkv_proj.bias", packed) == [
        f"model.layers.0.self_attn.{member}_proj.bias" for member in "qkv"
    ]
    assert state_names("lm_head.weight", packed) == ["lm_head.weight"]
