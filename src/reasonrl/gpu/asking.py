"""Answer one row, in the process that was started for it. Only here are engines loaded."""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path

from reasonrl.engines.weights import Compute
from reasonrl.errors import ConfigError
from reasonrl.gpu.commands import TrainingKind
from reasonrl.gpu.kept import write_answer
from reasonrl.gpu.row import CheckSetting, RowAnswer, work_path

_KINDS: dict[str, TrainingKind] = {
    "quickstart-local": "local",
    "quickstart-vllm": "vllm",
    "quickstart-ray-shared": "ray-shared",
}
_PARENT_DIED = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>


def ask_here(name: str, setting: CheckSetting, out: Path) -> None:
    """Answer a row and leave the answer in its directory. The process ends with its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL)
    work = work_path(out, name)
    work.mkdir(parents=True, exist_ok=True)
    write_answer(out, name, _answer(name, setting, work))


def _answer(name: str, setting: CheckSetting, work: Path) -> RowAnswer:
    match name:
        case "machine":
            from reasonrl.gpu import machine

            return machine.answer()
        case "attention":
            from reasonrl.gpu import attention

            return attention.answer(setting)
        case "logprobs-float32" | "logprobs-bfloat16":
            from reasonrl.gpu import scores

            return scores.answer(setting, work, _compute(name))
        case "families":
            from reasonrl.gpu import families

            return families.answer(setting)
        case "quickstart-local" | "quickstart-vllm" | "quickstart-ray-shared":
            from reasonrl.gpu import training

            return training.answer(setting, work, _KINDS[name])
        case "training-state":
            from reasonrl.gpu import states

            return states.answer(setting, work)
        case "resume":
            from reasonrl.gpu import resuming

            return resuming.answer(setting, work)
        case "fsdp-nccl":
            from reasonrl.gpu import ranks

            return ranks.answer(setting, work)
    return _of_vllm(name, setting, work)


def _of_vllm(name: str, setting: CheckSetting, work: Path) -> RowAnswer:
    """Answer a row that starts vLLM in this process."""
    match name:
        case "sampler-learner-float32" | "sampler-learner-bfloat16":
            from reasonrl.gpu import samplers

            return samplers.distance_answer(setting, work, _compute(name))
        case "sync-stale":
            from reasonrl.gpu import samplers

            return samplers.stale_answer(setting, work)
        case "tensor-parallel":
            from reasonrl.gpu import samplers

            return samplers.tensor_parallel_answer(setting, work)
        case "sleep":
            from reasonrl.gpu import sleeping

            return sleeping.answer(setting, work)
        case "seeds":
            from reasonrl.gpu import seeds

            return seeds.answer(setting, work)
    raise ConfigError(
        f"no row {name!r} can be asked", where="reasonrl gpu row", remedy="pass a row of --list"
    )


def _compute(name: str) -> Compute:
    return "float32" if name.endswith("float32") else "bfloat16"
