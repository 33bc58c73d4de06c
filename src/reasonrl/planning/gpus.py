"""The table of GPUs that a plan can be made for. No device is queried."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from reasonrl.errors import ConfigError

GIB = 2.0**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """The data of a GPU that the formulas use; `peak_flops` is dense bfloat16."""

    name: str
    memory_bytes: float
    peak_flops: float
    bandwidth_bytes_s: float


GPUS: Mapping[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        # The numbers are from NVIDIA's data sheets of the SXM boards, the memory as the driver
        # reports it. The H800 computes like the H100; its slower links are part of the calibration.
        Gpu(name="H800", memory_bytes=79.6 * GIB, peak_flops=989e12, bandwidth_bytes_s=3.35e12),
        Gpu(name="H100", memory_bytes=79.6 * GIB, peak_flops=989e12, bandwidth_bytes_s=3.35e12),
        Gpu(name="H200", memory_bytes=140.4 * GIB, peak_flops=989e12, bandwidth_bytes_s=4.8e12),
        Gpu(name="A100", memory_bytes=80.0 * GIB, peak_flops=312e12, bandwidth_bytes_s=2.04e12),
    )
}


def gpu_of(name: str) -> Gpu:
    """Return a GPU by name. Raises ConfigError for a name that is not in the table."""
    gpu = GPUS.get(name.upper())
    if gpu is None:
        near = difflib.get_close_matches(name.upper(), GPUS, n=1)
        raise ConfigError(
            f"unknown GPU {name!r}",
            where="--gpu",
            expected="one of " + ", ".join(GPUS),
            remedy=f"did you mean {near[0]}?" if near else "choose the most similar of these",
        )
    return gpu
