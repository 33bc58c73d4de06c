"""What a row can count on here: GPUs that torch sees, vLLM, Ray. Loads none of them.

torch is asked in a process of its own: a broken driver may hang or crash whoever asks it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import dataclass

from reasonrl.errors import ConfigError
from reasonrl.gpu.row import CheckSetting, Device, GpuRow

_COUNT = "import torch; print('GPUs', torch.cuda.device_count())"
_LIMIT_S = 180.0  # importing torch from a slow disk takes a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The things that rows may need, as they are on this machine."""

    device: Device
    gpus: int
    has_vllm: bool
    has_ray: bool

    def missing(self, row: GpuRow) -> str:
        """Return what a row needs and this machine lacks, in words; empty when nothing lacks."""
        needs = row.needs
        if needs.elsewhere:
            return needs.elsewhere
        is_free_of_gpus = self.device == "cpu" and needs.asked_of_cpus
        if needs.gpus > self.gpus and not is_free_of_gpus:
            return "a GPU" if needs.gpus == 1 else f"{needs.gpus} GPUs"
        if needs.vllm and not self.has_vllm:
            return "vLLM: pip install 'reasonrl[vllm]'"
        if needs.ray and not self.has_ray:
            return "Ray: pip install 'reasonrl[cluster]'"
        return ""


def look(setting: CheckSetting) -> Sight:
    """Return what rows can count on. On a CPU the machine's GPUs are left alone."""
    return Sight(
        device=setting.device,
        gpus=setting.gpus,
        has_vllm=importlib.util.find_spec("vllm") is not None,
        has_ray=importlib.util.find_spec("ray") is not None,
    )


def count_gpus() -> int:
    """Return the number of GPUs that torch sees; none when it cannot say."""
    try:
        done = subprocess.run(
            (sys.executable, "-c", _COUNT),
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    words = done.stdout.split()
    return int(words[words.index("GPUs") + 1]) if "GPUs" in words else 0


def device_of(asked: str | None, gpus: int) -> Device:
    """Return the device of a check: the one asked for, else a GPU if there is one.

    Raises ConfigError for another word, and for cuda on a machine without a GPU.
    """
    match asked:
        case None:
            return "cuda" if gpus else "cpu"
        case "cpu":
            return "cpu"
        case "cuda" if gpus:
            return "cuda"
        case "cuda":
            raise ConfigError(
                "torch sees no GPU here",
                where="--device cuda",
                expected="a GPU, its driver, and a build of torch with CUDA",
                remedy="check nvidia-smi and CUDA_VISIBLE_DEVICES, or pass --device cpu",
            )
    raise ConfigError(
        f"--device {asked}",
        expected="cuda or cpu",
        remedy="pass one of them; choose among GPUs with CUDA_VISIBLE_DEVICES",
    )
