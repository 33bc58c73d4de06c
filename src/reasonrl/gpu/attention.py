"""The row `attention`: the kernel that computes completions after a shared prompt.

The layout is the one of learning (`models.attention.PackedGroups`), in bfloat16, with fewer heads
of keys and values than of queries. On a GPU flash attention is forced by name: it must take the
symbolic mask, and not be replaced by a kernel that needs the mask as a tensor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from reasonrl.gpu.row import CheckSetting, Figure, RowAnswer
from reasonrl.models.attention import Branches, PackedGroups
from reasonrl.models.scores import Scores

_HEAD_SIZES = (64, 128)
_QUERY_HEADS, _KEY_HEADS = 16, 4
_GPU_GROUP = Branches(1024, (1024, 777, 1024))
_CPU_GROUP = Branches(64, (96, 33, 80))
_REPEATS = 10

_BOUND = 0.02
"""Of the distance between bfloat16 and float32, as a share of the result: rounding alone gives
0.002 to 0.005, a mask that is aligned at the wrong corner more than 0.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """Queries, keys and values of a packed row, and the gradient that comes back to its output."""

    group: Branches
    query: Tensor
    key: Tensor
    value: Tensor
    back: Tensor

    def attend(self, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Return the output and the gradients of query, key and value."""
        query, key, value = (
            tensor.to(dtype).requires_grad_() for tensor in (self.query, self.key, self.value)
        )
        scale = float(self.query.shape[-1]) ** -0.5
        out = PackedGroups((self.group,)).attend(0, query, key, value, Scores(scale))
        gradients = torch.autograd.grad(out, (query, key, value), self.back.to(dtype))
        return out.detach(), *gradients


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A recorder of the names of all operators that run inside, in order."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.names.append(str(function))
        return function(*args, **(kwargs or {}))


def answer(setting: CheckSetting) -> RowAnswer:
    """Return the distances of each head size from the math kernel, the times, and what ran."""
    figures: list[Figure] = []
    facts: list[tuple[str, str]] = []
    for head_size in _HEAD_SIZES:
        case = _case(setting.device, head_size)
        chosen = _chosen(case)
        facts.append(
            (f"torch's own choice, heads of {head_size}", ", ".join(sorted(set(chosen))) or "math")
        )
        figures.append(_is_flash(setting.device, chosen, head_size))
        figures += _judged(setting.device, case, head_size)
    return RowAnswer(figures=tuple(figures), facts=tuple(facts))


def _case(device: str, head_size: int) -> _Case:
    group = _CPU_GROUP if device == "cpu" else _GPU_GROUP
    generator = torch.Generator().manual_seed(head_size)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(torch.bfloat16).to(device)

    length = group.length
    return _Case(
        group=group,
        query=draw(1, _QUERY_HEADS, length, head_size),
        key=draw(1, _KEY_HEADS, length, head_size),
        value=draw(1, _KEY_HEADS, length, head_size),
        back=draw(1, length, _QUERY_HEADS, head_size),
    )


def _chosen(case: _Case) -> list[str]:
    """Return the operators of attention that torch chooses by itself, none for math."""
    with _Operators() as seen:
        case.attend(torch.bfloat16)
    return [name for name in seen.names if "attention" in name and "backward" not in name]


def _is_flash(device: str, chosen: list[str], head_size: int) -> Figure:
    """Return for how many parts torch chose flash attention; on a CPU this is no requirement.

    A part is the prompt or a completion. The prompt may go to another kernel, a completion not: its
    mask would become a tensor.
    """
    return Figure(
        name=f"parts of 4 by flash attention, heads of {head_size}",
        value=float(sum("flash" in name for name in chosen)),
        low=None if device == "cpu" else len(_GPU_GROUP.completions),
    )


def _judged(device: str, case: _Case, head_size: int) -> Iterator[Figure]:
    """Yield the distances from the math kernel in float32, and the times of both in bfloat16."""
    with _forced(device):
        made = case.attend(torch.bfloat16)
    with sdpa_kernel(SDPBackend.MATH):
        right = case.attend(torch.float32)
    for name, one, other in zip(
        ("output", "of query", "of key", "of value"), made, right, strict=True
    ):
        what = name if name == "output" else f"gradient {name}"
        distance = float((one.float() - other).norm() / other.norm())
        yield Figure(name=f"{what}, heads of {head_size}", value=distance, high=_BOUND)

    def run() -> None:
        case.attend(torch.bfloat16)

    with _forced(device):
        flash_s = _seconds(device, run)
    with sdpa_kernel(SDPBackend.MATH):
        math_s = _seconds(device, run)
    yield Figure(name=f"time, heads of {head_size}", value=1e3 * flash_s, unit="ms")
    yield Figure(name=f"time of math, heads of {head_size}", value=1e3 * math_s, unit="ms")


def _forced(device: str) -> AbstractContextManager[object]:
    """Allow flash attention alone on a GPU; a CPU has one kernel beside math."""
    return nullcontext() if device == "cpu" else sdpa_kernel(SDPBackend.FLASH_ATTENTION)


def _seconds(device: str, run: Callable[[], None]) -> float:
    """Return the mean time of a forward and a backward pass, after one that is not counted."""
    run()
    _wait(device)
    started = time.perf_counter()
    for _ in range(_REPEATS):
        run()
    _wait(device)
    return (time.perf_counter() - started) / _REPEATS


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()
