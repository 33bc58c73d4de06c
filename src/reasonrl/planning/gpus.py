"""The table of GPUs that a plan can be made for. No device is queried.

`find_gpu` turns what was typed into a GPU: a name of the table, an amount of memory, or both.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from reasonrl.errors import ConfigError

GIB = 2.0**30
_MIB = 2.0**20

DEFAULT = "H800"
"""The GPU of the report, on which the formulas of time are calibrated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSpeed:
    """The data of a GPU that the formulas of time use; `peak_flops` is dense bfloat16."""

    peak_flops: float
    bandwidth_bytes_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU. `speed` is None and `name` is empty where nothing but the memory is known.

    `nominal_gb` is the size that the vendor prints on the box, `memory_bytes` what the driver
    reports. `has_bfloat16`: the GPU multiplies matrices in bfloat16.
    """

    name: str
    nominal_gb: float
    memory_bytes: float
    speed: GpuSpeed | None = None
    has_bfloat16: bool = True

    def label(self, count: int = 1) -> str:
        """Return how many of which GPUs; a GPU that was given by its memory alone has no name."""
        size = f"{self.nominal_gb:g} GB"
        if count == 1:
            return f"{self.name} ({size})" if self.name else f"a GPU of {size}"
        return f"{count} x {self.name} ({size})" if self.name else f"{count} GPUs of {size}"


def _gpu(
    name: str, gb: float, mib: int, teraflops: float, gb_s: float, *, has_bfloat16: bool = True
) -> Gpu:
    """Return a GPU of the table, from numbers in the units of data sheets and of nvidia-smi."""
    return Gpu(
        name=name,
        nominal_gb=gb,
        memory_bytes=mib * _MIB,
        speed=GpuSpeed(peak_flops=teraflops * 1e12, bandwidth_bytes_s=gb_s * 1e9),
        has_bfloat16=has_bfloat16,
    )


# Name, nominal GB, MiB as nvidia-smi prints them, dense TFLOP/s of bfloat16 with sums in float32,
# and GB/s of the memory. The last two are from NVIDIA's data sheets, and for GeForce and RTX cards
# from the appendices of the white papers on Ampere GA102, Ada and RTX Blackwell; where a sheet
# prints the rate "with sparsity", half of it stands here. Where GDDR6 corrects errors (T4, L4, A10,
# L40S), nvidia-smi already leaves out the sixteenth that the correction takes. Of the GH200 the
# GPU's own 96 GB count, not the memory of its processor. The A100 of 80 GB, the H100 and the H200
# are the SXM boards; their PCIe boards are slower. The H800 computes like the H100; its slower
# links are part of the calibration. The memory of the RTX 4080, RTX 5080, RTX PRO 6000, GH200 and
# B200 is known from users' listings only. T4 and V100 have no bfloat16: their rates are those of
# float16, which no engine here uses.
GPUS: Mapping[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        _gpu("H800", 80, 81_559, 989, 3_350),
        _gpu("H100", 80, 81_559, 989, 3_350),
        _gpu("H200", 141, 143_771, 989, 4_800),
        _gpu("A100", 80, 81_920, 312, 2_039),
        _gpu("A100-40", 40, 40_960, 312, 1_555),
        _gpu("GH200", 96, 97_871, 989, 4_000),
        _gpu("B200", 192, 183_359, 2_250, 8_000),
        _gpu("RTX PRO 6000", 96, 97_887, 503.8, 1_792),
        _gpu("RTX A6000", 48, 49_140, 154.8, 768),
        _gpu("L40S", 48, 46_068, 362, 864),
        _gpu("RTX 5090", 32, 32_607, 209.5, 1_792),
        _gpu("RTX 4090", 24, 24_564, 165.2, 1_008),
        _gpu("RTX 3090", 24, 24_576, 71, 936),
        _gpu("L4", 24, 23_034, 121, 300),
        _gpu("A10", 24, 23_028, 125, 600),
        _gpu("RTX 5080", 16, 16_303, 112.6, 960),
        _gpu("RTX 4080", 16, 16_376, 97.5, 716.8),
        _gpu("T4", 16, 15_360, 65, 320, has_bfloat16=False),
        _gpu("V100-16", 16, 16_384, 125, 900, has_bfloat16=False),
        _gpu("V100-32", 32, 32_768, 125, 900, has_bfloat16=False),
    )
}

# Names with a size that the table leaves out.
_SHORT = {"A10080": "A100", "H10080": "H100", "H80080": "H800", "GH20096": "GH200"}


def find_gpu(name: str | None, memory_gib: float | None) -> Gpu:
    """Return the GPU that a command line means: a name, a memory in GiB, or both.

    A memory replaces that of the named GPU. Without a name the GPU has no speed. Without either it
    is that of the report. Raises ConfigError for an unknown name.
    """
    if memory_gib is None:
        return gpu_of(name or DEFAULT)
    named = gpu_of(name) if name else Gpu(name="", nominal_gb=memory_gib, memory_bytes=0.0)
    return replace(named, nominal_gb=memory_gib, memory_bytes=memory_gib * GIB)


def gpu_of(name: str) -> Gpu:
    """Return a GPU by name; case, spaces, dashes and "RTX" do not count.

    Raises ConfigError, with the similar names, for a name that is not in the table.
    """
    known = _by_key()
    key = _key(name)
    gpu = known.get(key)
    if gpu is None:
        near = list(dict.fromkeys(known[match].name for match in _near(key, list(known))))
        raise ConfigError(
            f"unknown GPU {name!r}",
            where="--gpu",
            expected="one of " + ", ".join(GPUS),
            remedy=(f"did you mean {' or '.join(near)}? " if near else "")
            + "For any other GPU pass its memory: --gpu-memory GB",
        )
    return gpu


def check_compute(gpu: Gpu, compute: str) -> None:
    """Raise ConfigError if a recipe computes in bfloat16 and the GPU has none."""
    if compute == "bfloat16" and not gpu.has_bfloat16:
        raise ConfigError(
            f"{gpu.name} does not compute in bfloat16",
            where='engine.compute = "bfloat16"',
            expected="a GPU of the generation of the A100 or the RTX 3090, or a later one",
            remedy='pass --set engine.compute="float32", or name another GPU with --gpu',
        )


def _by_key() -> dict[str, Gpu]:
    keys = {_key(name): gpu for name, gpu in GPUS.items()}
    return keys | {short: GPUS[name] for short, name in _SHORT.items()}


def _key(name: str) -> str:
    """Return what is left of a name without its maker, series, unit, spaces and dashes."""
    plain = re.sub(r"[^A-Z0-9]", "", name.upper())
    plain = re.sub(r"^(NVIDIA)?(GEFORCE|TESLA|QUADRO)?(RTX)?", "", plain)
    return plain.removesuffix("GB")


def _near(key: str, keys: list[str]) -> list[str]:
    """Return the keys that contain the key, and otherwise the ones that are spelt alike."""
    longer = [known for known in keys if key and known.startswith(key)]
    return longer or difflib.get_close_matches(key, keys, n=3, cutoff=0.5)
