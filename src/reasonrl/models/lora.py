"""Low-rank adapters (LoRA, Hu et al. 2021), through peft: they learn, and all else stays as it is.

A linear layer W of the decoder becomes W + alpha / rank * B A, with A drawn from a seed and B zero,
so that training starts from the model itself. `policy_tensors` gives the weights as samplers and
files know them: adapters merged, under the names of the model without adapters.

Dropout on adapters is not offered. Sampler and learner would compute two functions, so that the
ratio of the first update would not be 1, and no step could be repeated exactly.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reasonrl.errors import ConfigError
from reasonrl.models.four_bits import rounded

_NAME = "default"
_A, _B, _BASE = f".lora_A.{_NAME}.weight", f".lora_B.{_NAME}.weight", ".base_layer."
_EXPERTS = ("gate_proj", "up_proj", "down_proj", "w1", "w2", "w3")
"""Names that peft takes for experts in a mixture, wherever they stand."""

ADAPTER_FILE = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """The size of the adapters and the layers that get one: names, or all of the decoder's.

    With `is_packed` the matrices beside adapters have the numbers that 4 bits can hold.
    """

    rank: int
    alpha: int
    targets: tuple[str, ...] | None = None
    is_packed: bool = False

    @property
    def scaling(self) -> float:
        return self.alpha / self.rank

    def peft_config(self, targets: Sequence[str] | None = None, *, base: str = "") -> Any:
        """Return the settings in the words of peft, for these layers if any are given.

        Raises ConfigError when peft is not installed.
        """
        try:
            from peft import LoraConfig
        except ImportError as error:
            raise ConfigError(
                f"peft cannot be imported: {error}",
                where="[model.lora]",
                remedy="pip install 'reasonrl[lora]'",
            ) from error
        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            target_modules=list(targets or self.targets or ()) or "all-linear",
            base_model_name_or_path=base or None,
            task_type="CAUSAL_LM",
        )


def add_adapters(module: Any, settings: LoraSettings, *, seed: int) -> None:
    """Add adapters to a transformers model, in place; only they keep gradients.

    Raises ConfigError when no layer, or a layer that is not linear, has a name of the settings.
    """
    targets = settings.targets
    if targets is None and has_fused_experts(module):
        # By these names peft would mean the experts too, which are no layers of their own.
        targets = tuple(name for name in linear_names(module) if name not in _EXPERTS)
    config = settings.peft_config(targets)
    from peft import inject_adapter_in_model

    is_outline = any(parameter.is_meta for parameter in module.parameters())
    try:
        with torch.random.fork_rng(devices=()), warnings.catch_warnings():
            # peft tells how it takes Conv1D and experts; `_check_linear` refuses what is wrong.
            warnings.simplefilter("ignore")
            torch.manual_seed(seed)
            inject_adapter_in_model(config, module, _NAME, low_cpu_mem_usage=is_outline)
    except ValueError as error:
        raise ConfigError(
            str(error).partition("\n")[0],
            where="model.lora.targets",
            expected='"all-linear", or names of linear layers such as ["q_proj", "v_proj"]',
        ) from error
    _check_linear(module)
    if settings.is_packed and not is_outline:
        for name, parameter in module.named_parameters():
            if name.endswith(f"{_BASE}weight"):
                parameter.data = rounded(parameter.data)


def _check_linear(module: nn.Module) -> None:
    """Refuse adapters beside anything but a matrix: they could not be merged by its name."""
    for path, layer in module.named_modules():
        base = getattr(layer, "base_layer", None)
        if base is not None and not _is_linear(base):
            raise ConfigError(
                f"an adapter would stand beside {path}, which is a {type(base).__name__}",
                where="model.lora.targets",
                expected="linear layers only",
                remedy=f"name the layers of the attention, and none of {', '.join(_EXPERTS)}",
            )


def _is_linear(layer: object) -> bool:
    return isinstance(layer, nn.Linear) or type(layer).__name__ == "Conv1D"


def has_fused_experts(module: nn.Module) -> bool:
    """Return whether a model has one tensor for all experts of a layer."""
    names = module.named_parameters()
    return any(parameter.ndim == 3 and ".experts." in name for name, parameter in names)


def linear_names(module: Any) -> tuple[str, ...]:
    """Return the names of the linear layers, without the head."""
    head = module.get_output_embeddings()
    return tuple(
        sorted(
            {
                path.rpartition(".")[2]
                for path, layer in module.named_modules()
                if _is_linear(layer) and layer is not head
            }
        )
    )


def has_adapters(module: nn.Module) -> bool:
    """Return whether adapters were added to a model."""
    return any(name.endswith(_A) for name, _ in module.named_parameters())


def store_frozen(module: nn.Module, dtype: torch.dtype) -> None:
    """Store the frozen matrices of the decoder's layers in the dtype that they compute in.

    Their gradients are never added up, so float32 copies would be of no use.
    """
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad and is_layer_matrix(name, parameter):
            parameter.data = parameter.data.to(dtype)


def is_layer_matrix(name: str, parameter: Tensor) -> bool:
    """Return whether a parameter is a matrix of a decoder layer that activations multiply.

    Other parameters of two dimensions, such as the `A_log` of Mamba, are used in float32.
    """
    return ".layers." in name and parameter.ndim == 2 and name.endswith("weight")


@contextmanager
def without_adapters(module: nn.Module) -> Iterator[None]:
    """Let a model compute as it did before training; without adapters nothing changes."""
    layers: list[Any] = [
        layer for layer in module.modules() if isinstance(getattr(layer, "lora_A", None), nn.Module)
    ]
    for layer in layers:
        layer.enable_adapters(enabled=False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(enabled=True)


def policy_places(module: nn.Module) -> dict[str, str]:
    """Return the names of a model's own state dict, without adapters and packed forms.

    Each name comes with the name in the module's state dict, which adapters and packing change.
    """
    places = {}
    for name in module.state_dict():
        path, base, kind = name.partition(_BASE)
        if ".lora_" not in name and kind != "scales":
            kind = "weight" if kind == "codes" else kind
            places[f"{path}.{kind}" if base else path] = name
    return places


def policy_tensors(
    module: nn.Module,
    whole: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    wanted: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[tuple[str, Tensor]]:
    """Yield every weight under its name in the model's own state dict, adapters merged in float32.

    `whole` assembles a tensor that is cut over ranks; it is called in the same order on each rank.
    `wanted` returns the rows to yield of a tensor that is whole or cut; None: the whole.
    """
    wanted = wanted or whole
    state = module.state_dict()
    for name, value in state.items():
        path, base, kind = name.partition(_BASE)
        if ".lora_" in name or kind == "scales":
            continue
        if kind == "codes":
            packed: Any = module.get_submodule(f"{path}.base_layer")
            kind, value = "weight", packed.unpacked(torch.float32)
        if not base or kind != "weight":
            yield path + ("." + kind if base else ""), wanted(value)
            continue
        layer: Any = module.get_submodule(path)
        a_RI, b_OR = whole(state[path + _A]), whole(state[path + _B])
        # The matrices of GPT-2 and its kin are stored as [I, O].
        rows, columns = (a_RI.T, b_OR.T) if layer.fan_in_fan_out else (b_OR, a_RI)
        scaling = float(layer.scaling[_NAME])
        yield f"{path}.{kind}", wanted(value).float().addmm(wanted(rows), columns, alpha=scaling)


def save_adapter(
    directory: Path, weights: Mapping[str, Tensor], settings: LoraSettings, *, base: str
) -> None:
    """Write adapters as peft reads them; `weights` are a checkpoint's, by parameter name."""
    directory.mkdir(parents=True, exist_ok=True)
    named = {
        "base_model.model." + name.replace(f".{_NAME}.", "."): value.contiguous()
        for name, value in weights.items()
    }
    save_file(named, directory / ADAPTER_FILE, metadata={"format": "pt"})
    targets = sorted({name.partition(".lora_")[0].rpartition(".")[2] for name in weights})
    settings.peft_config(targets, base=base).save_pretrained(str(directory))
