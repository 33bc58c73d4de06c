"""A model as transformers itself runs it: logits of whole rows, and its own cache for sampling.

Any causal language model that transformers can load works here. What its class cannot promise is
tried out on a few tokens: that no logit depends on a later token, and that going on from the cache
gives what reading the whole row gives. A model without such a cache reads its rows anew for every
token.

Axes: P prompts, R rows, T tokens of a row, V vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from reasonrl.errors import ModelError
from reasonrl.models.routing import chosen_experts

_CACHES = ("past_key_values", "cache_params")
_PROBE = 6  # tokens
_NEAR = 1e-3
"""Logits are the same if they differ by less than this part of the largest: float32 rounding, and
no more, lies between two ways to compute them."""


class Rows(Protocol):
    """Rows that are being sampled, with what the model keeps of them."""

    def step(self, tokens_R: Tensor) -> Tensor:
        """Append a token to each row; return the logits of the next, [R, V] in float32."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these, given by their slots."""
        ...


class LibraryModel:
    """The forward passes of a transformers model, in a dtype. `name` is for messages.

    Raises ModelError for a model in which tokens see later tokens.
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype, *, name: str) -> None:
        # Tried out in float32: the rounding of bfloat16 would hide what is looked for.
        self._module, self._dtype = cast(Any, module), torch.float32
        parameters = inspect.signature(self._module.forward).parameters
        self._cache = next((cache for cache in _CACHES if cache in parameters), "")
        self._last = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
        # Not every family with experts hands out what its routers do.
        has_routers = hasattr(self._module.config.get_text_config(), "output_router_logits")
        self.n_chosen = chosen_experts(self._module.config) if has_routers else 0
        self._check_causal(name)
        self.has_cache = bool(self._cache) and self._is_cache_right()
        self._dtype = dtype
        head = self._module.get_output_embeddings()
        if dtype != torch.float32 and head is not None:
            head.forward = partial(_in_float32, head.forward)

    @property
    def device(self) -> torch.device:
        return cast(Tensor, next(self._module.parameters())).device

    def logits(self, tokens_RT: Tensor) -> Tensor:
        """Return the logits of every position, [R, T, V]."""
        return self.logits_and_routers(tokens_RT)[0]

    def logits_and_routers(self, tokens_RT: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits of every position, and those of each router, [R * T, E], if any."""
        routers = {"output_router_logits": True} if self.n_chosen else {}
        with self._computing():
            out = self._module(input_ids=tokens_RT, use_cache=False, **routers)
        return out.logits, tuple(getattr(out, "router_logits", None) or ())

    def begin(
        self, prompts_PT: Tensor, copies_R: Tensor, *, token_budget: int
    ) -> tuple[Rows, Tensor]:
        """Read prompts of one length; return a row for each index of `copies_R`, and its logits.

        At most about `token_budget` tokens of prompts are read at once, without a cache of rows.
        """
        if not self.has_cache:
            rows = _ReadAgain(self, prompts_PT[copies_R], token_budget)
            return rows, rows.logits()
        logits_PV, cache = self.go_on(prompts_PT, None)
        cache.reorder_cache(copies_R)
        return _Cached(self, cache), logits_PV[copies_R]

    def go_on(self, tokens_RT: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Read tokens after a cache; return the last logits, [R, V] in float32, and the cache."""
        past = {} if cache is None else {self._cache: cache}
        with self._computing():
            out = self._module(input_ids=tokens_RT, use_cache=True, **past, **self._last)
        return out.logits[:, -1].float(), getattr(out, self._cache)

    def last_logits(self, tokens_RT: Tensor) -> Tensor:
        """Return the logits after the last token of each row, [R, V] in float32."""
        with self._computing():
            out = self._module(input_ids=tokens_RT, use_cache=False, **self._last)
        return cast(Tensor, out.logits[:, -1].float())

    def _computing(self) -> AbstractContextManager[None]:
        is_lean = self._dtype != torch.float32
        return torch.autocast(self.device.type, self._dtype, enabled=is_lean)

    @torch.no_grad()
    def _check_causal(self, name: str) -> None:
        tokens = self._probe()
        changed = tokens.clone()
        changed[:, -1] = tokens[:, 0]
        try:
            before, after = (self.logits(each)[:, :-1].float() for each in (tokens, changed))
        except Exception as error:
            # Code of a family that nobody tried here may fail in any way.
            first_line = str(error).partition("\n")[0]
            raise ModelError(
                f"transformers cannot run {name!r}: {type(error).__name__}: {first_line}",
                where="model.name",
                expected="a model that reads six tokens",
                remedy="look the message up in the family's code in transformers; a package that "
                "it needs may be missing",
            ) from error
        if not _is_near(before, after):
            raise ModelError(
                f"{name!r} is no causal language model: its tokens see later tokens",
                where="model.name",
                expected="a model whose logits depend on earlier tokens only",
                remedy="choose a decoder; an encoder's config may have is_decoder = false",
            )

    @torch.no_grad()
    def _is_cache_right(self) -> bool:
        """Return whether a prompt's cache, copied to two rows, goes on as whole rows do."""
        tokens = self._probe()
        try:
            rows, first = self._two_rows(tokens[:, :-2])
            steps = [rows.step(tokens[:, at].expand(2)) for at in (-2, -1)]
        except (
            AttributeError,
            TypeError,
            NotImplementedError,
            RuntimeError,
            ValueError,
            IndexError,
        ):
            return False
        whole = self.logits(tokens)[0, -3:].float()
        return all(
            _is_near(logits, wanted.expand_as(logits))
            for logits, wanted in zip((first, *steps), whole, strict=True)
        )

    def _two_rows(self, tokens_1T: Tensor) -> tuple[Rows, Tensor]:
        logits, cache = self.go_on(tokens_1T, None)
        copies = torch.zeros(2, dtype=torch.long, device=self.device)
        cache.reorder_cache(copies)
        return _Cached(self, cache), logits[copies]

    def _probe(self) -> Tensor:
        """Return a row of different tokens, [1, T]."""
        return torch.arange(1, _PROBE + 1, device=self.device)[None]


class _Cached:
    """Rows whose past is in the model's own cache."""

    def __init__(self, library: LibraryModel, cache: Any) -> None:
        self._library, self._cache = library, cache

    def step(self, tokens_R: Tensor) -> Tensor:
        logits_RV, self._cache = self._library.go_on(tokens_R[:, None], self._cache)
        return logits_RV

    def keep(self, rows: Tensor) -> None:
        self._cache.reorder_cache(rows)


class _ReadAgain:
    """Rows of a model without a cache that can be gone on from: read as a whole for each token."""

    def __init__(self, library: LibraryModel, tokens_RT: Tensor, token_budget: int) -> None:
        self._library, self._tokens_RT, self._token_budget = library, tokens_RT, token_budget

    def logits(self) -> Tensor:
        n_rows = max(1, self._token_budget // self._tokens_RT.shape[1])
        return torch.cat(
            [self._library.last_logits(part) for part in torch.split(self._tokens_RT, n_rows)]
        )

    def step(self, tokens_R: Tensor) -> Tensor:
        self._tokens_RT = torch.cat((self._tokens_RT, tokens_R[:, None]), dim=1)
        return self.logits()

    def keep(self, rows: Tensor) -> None:
        self._tokens_RT = self._tokens_RT[rows]


def _in_float32(forward: Callable[[Tensor], Tensor], hidden: Tensor) -> Tensor:
    """Compute logits in float32: rounded to bfloat16 they would be off by 0.2 nats."""
    with torch.autocast(hidden.device.type, enabled=False):
        return forward(hidden.float())


def _is_near(one: Tensor, other: Tensor) -> bool:
    largest = float(one.abs().max())
    return bool((one - other).abs().max() <= _NEAR * max(largest, 1e-6))
