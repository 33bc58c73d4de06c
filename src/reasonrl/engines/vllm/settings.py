"""What a vLLM engine starts with, and the start itself, in the words of vLLM."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reasonrl.engines.weights import Compute
from reasonrl.errors import EngineError

# Rows for sequences that are scored while all other rows sample.
_AUDITED = 4
# A killed process has given its memory back after this time.
_MEMORY_S = 60.0
# Tokens of prompts and running rollouts together that one step computes.
_PREFILL_TOKENS = 8_192


_MARK = "do_not_compile"
"""What vLLM 0.32 sets on a module that it calls as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings:
    """The settings that an engine starts with.

    `model` is a directory or a hub id, whose weights are not read: an engine samples only once it
    was given all of `weight_names`, since a tied head that is not sent silently stays as it was.
    `context_tokens` bounds a prompt and its completion together; scoring needs one token more.
    With `splits_experts` vLLM reads a matrix for each expert, where the learner has one for all.
    vLLM writes its messages to `log`, or to the output of the process if it is None.
    """

    model: str
    weight_names: frozenset[str]
    eos_ids: tuple[int, ...]
    context_tokens: int
    compute: Compute
    max_rows: int
    tensor_parallel: int = 1
    memory_share: float = 0.85
    device: str = "cuda"
    can_sleep: bool = False
    is_apart: bool = False
    splits_experts: bool = False
    log: Path | None = None

    @property
    def runs_apart(self) -> bool:
        """Return whether the engine runs in other processes, as tensor parallel engines must."""
        return self.is_apart or self.tensor_parallel > 1


def start(settings: VllmSettings) -> Any:
    """Start vLLM as the measurements require; on a CPU nothing is compiled."""
    is_cpu = settings.device == "cpu"
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1" if settings.runs_apart else "0"
    if is_cpu:
        os.environ.setdefault("VLLM_CPU_CI_ENV", "1")
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        # Other processes need the cores too.
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    if settings.compute == "float32":
        # Triton's kernel of attention would round products to TF32.
        os.environ.setdefault("TRITON_F32_DEFAULT", "ieee")
    if settings.log is not None:
        _write_messages_to(settings.log)
    try:
        from vllm import LLM
    except ImportError as error:
        raise EngineError(
            f"vLLM cannot be imported: {error}",
            where="engine.rollout.type",
            remedy="pip install 'reasonrl[vllm]' on the nodes that sample",
        ) from error
    if not is_cpu and not settings.runs_apart:
        await_free_memory(settings.memory_share, _free_share)
    try:
        llm = LLM(**_options(settings))
    except (ValueError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise EngineError(
            f"vLLM could not start: {str(error).strip().partition(chr(10))[0]}",
            where="engine.rollout",
            remedy="read its messages"
            + (f" in {settings.log}" if settings.log else "")
            + "; for memory, raise engine.rollout.memory_share or set engine.offload = true",
        ) from error
    _spare_other_instances(nn.Module)
    # From now on weights are read from files, not made up as at the start.
    if settings.runs_apart:
        overrides = {"load_config": {"load_format": "safetensors"}}
        llm.collective_rpc("update_config", kwargs={"overrides": overrides})
    return llm


def _spare_other_instances(parent: type[nn.Module]) -> None:
    """Let modules of this process be called although vLLM changed their class.

    vLLM runs some families with classes of transformers, which it changes to compile when they are
    called, and marks its own instances. A learner's instance has no mark.
    """
    for module_class in parent.__subclasses__():
        code = getattr(vars(module_class).get("__call__"), "__code__", None)
        if code is not None and _MARK in code.co_names:
            setattr(module_class, _MARK, True)
        _spare_other_instances(module_class)


def _options(settings: VllmSettings) -> dict[str, Any]:
    """Return the options of vLLM's `LLM`, which are the same for every model."""
    is_cpu = settings.device == "cpu"
    return {
        "model": settings.model,
        "load_format": "dummy",
        "dtype": settings.compute,
        "max_model_len": settings.context_tokens,
        "max_num_seqs": settings.max_rows + _AUDITED,
        "tensor_parallel_size": settings.tensor_parallel,
        "gpu_memory_utilization": settings.memory_share,
        "skip_tokenizer_init": True,
        # The model's own generation config could cut the support by top-p or top-k.
        "generation_config": "vllm",
        "logprobs_mode": "processed_logprobs",
        "enforce_eager": is_cpu,
        # A chunked prompt rewinds its rollout's generator, which is not possible on a CPU.
        "enable_chunked_prefill": not is_cpu,
        # vLLM keeps memory for so many tokens; longer prompts come in chunks, except on a CPU.
        "max_num_batched_tokens": max(settings.context_tokens if is_cpu else 0, _PREFILL_TOKENS),
        # The prompt of a group is computed once.
        "enable_prefix_caching": True,
        "enable_sleep_mode": settings.can_sleep and not is_cpu,
        "distributed_executor_backend": "mp" if settings.tensor_parallel > 1 else "uni",
        # A token in flight would carry the wrong version.
        "async_scheduling": False,
        "disable_log_stats": True,
        "scheduling_policy": "priority",
        "worker_extension_cls": "reasonrl.engines.vllm.worker.WeightReader",
        # Logits in bfloat16 would be off by 0.02 nats a token; the learner's are float32.
        "hf_overrides": {"head_dtype": "float32"},
    }


def await_free_memory(
    share: float, free_share: Callable[[], float], *, seconds: float = _MEMORY_S
) -> None:
    """Wait until a share of the GPU's memory is free; EngineError if it is not within `seconds`.

    A process that was killed a moment ago may still hold memory, and vLLM would not wait.
    """
    end = time.monotonic() + seconds
    while (free := free_share()) < share:
        if time.monotonic() > end:
            raise EngineError(
                f"{free:.0%} of the GPU's memory is free, and vLLM was told to take {share:.0%}",
                where="engine.rollout.memory_share",
                expected="free memory when vLLM starts",
                remedy="end the processes that nvidia-smi lists, set engine.offload = true, or "
                "lower engine.rollout.memory_share",
            )
        time.sleep(min(1.0, seconds / 10))


def _free_share() -> float:
    free, total = torch.cuda.mem_get_info()
    return free / total


def _write_messages_to(log: Path) -> None:
    """Let vLLM write to a file: its messages would bury those of the run in the same process.

    To be called before vLLM is imported, which otherwise makes a logger of its own.
    """
    os.environ["VLLM_CONFIGURE_LOGGING"] = "0"
    log.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(log)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("vllm")
    logger.handlers, logger.propagate = [file], False
    logger.setLevel(logging.INFO)
