"""What attention costs: layers without it, and a row's attention to its own past alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch

from benchmarks.common import cpu_seconds
from reasonrl.models.attention import PackedGroups
from reasonrl.models.hf import LanguageModel
from reasonrl.models.scores import Softmax

_LENGTHS, _PASSES, _TOKENS = 16, 5, 20_000


@contextmanager
def no_attention() -> Iterator[None]:
    """Let layers return their queries; keys and values are still computed and kept."""
    over, over_past = PackedGroups._over, Softmax.over_past
    PackedGroups._over = lambda _self, query, *_rest: [query]  # type: ignore[method-assign]
    Softmax.over_past = lambda _self, query, *_rest: query  # type: ignore[method-assign]
    try:
        yield
    finally:
        PackedGroups._over = over  # type: ignore[method-assign]
        Softmax.over_past = over_past  # type: ignore[method-assign]


def query_heads(model: LanguageModel) -> int:
    """Return the query heads of a layer."""
    return int(cast(Any, model.module).config.num_attention_heads)


def seconds_by_token(model: LanguageModel, *, prompt: int, tokens: int) -> np.ndarray:
    """Return the CPU-seconds of one row's attention in all layers, for each token that it samples.

    Timed at 16 lengths of the past, and interpolated.
    """
    heads, size = model.cache_shape
    group, kernel = query_heads(model) // heads, Softmax()
    ends = np.unique(np.geomspace(prompt + 1, prompt + tokens, _LENGTHS).astype(int))
    costs = []
    for end in ends.tolist():
        query = torch.randn(1, heads, group, size).to(model.compute)
        past = torch.randn(1, heads, end, size).to(model.compute)
        calls = max(5, _TOKENS // end)

        def attend(
            query: torch.Tensor = query, past: torch.Tensor = past, calls: int = calls
        ) -> None:
            for _ in range(calls):
                kernel.over_past(query, past, past, None, size**-0.5)

        costs.append(min(cpu_seconds(attend) for _ in range(_PASSES)) / calls)
    each = np.interp(np.arange(prompt + 1, prompt + tokens + 1), ends, costs)
    return cast(np.ndarray, model.n_layers * each)
