"""How a vLLM engine gets weights and answers for them; the workers' side is `worker`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from typing import Any

from torch import Tensor

from reasonrl.engines.checksums import Checksums, added
from reasonrl.engines.transfer import ShareLayout, WireSeat
from reasonrl.engines.vllm.files import in_memory
from reasonrl.engines.vllm.names import as_vllm_reads
from reasonrl.engines.vllm.settings import VllmSettings
from reasonrl.errors import EngineError

_HEAD, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


class VllmWeights:
    """The weights of an engine whose calls are those of vLLM's `LLM`."""

    def __init__(self, llm: Any, settings: VllmSettings) -> None:
        self._llm = llm
        self._runs_apart = settings.runs_apart
        [has_own_head, *_] = llm.collective_rpc("has_own_head")
        unknown = [] if has_own_head else [_HEAD]
        # Plain values, because workers may be other processes.
        self._reading: dict[str, Any] = {
            "unknown": unknown,
            "splits_experts": settings.splits_experts,
        }

    def checksums(self) -> Checksums:
        """Return the checksums of what the workers compute with, in the names of transformers."""
        shares = self._llm.collective_rpc("read_checksums")
        by_names: dict[tuple[str, ...], list[int]] = {}
        for names, value in chain.from_iterable(shares):
            by_names.setdefault(tuple(names), []).append(value)
        sums = {names: added(values) for names, values in by_names.items()}
        if self._reading["unknown"] and (_EMBEDDING,) in sums:  # the embedding is the head
            sums[_HEAD,] = sums[_EMBEDDING,]
        return sums

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Load weights of this process; workers in other processes read them from files."""
        mine = as_vllm_reads(tensors.items(), **self._reading)
        if not self._runs_apart:
            self._call("reload_weights", weights_iterator=mine)
            return
        with in_memory(mine) as directory:
            self._call("reload_weights", weights_path=str(directory))

    def join_wire(self, seat: WireSeat) -> None:
        """Give each worker a place on a wire: this one, and the next ones."""
        self._llm.collective_rpc("join_wire", kwargs={"seat": asdict(seat)})

    def receive(self, layout: ShareLayout) -> str:
        """Let each worker load the weights that come over the wire.

        Returns what broke the wire, or nothing; if it broke, the weights must be loaded again.
        """
        texts = self._call("receive_weights", layout=asdict(layout), **self._reading)
        return next(filter(None, texts), "")

    def _call(self, method: str, **source: object) -> list[Any]:
        try:
            answers: list[Any] = self._llm.collective_rpc(method, kwargs=source)
        except (ValueError, KeyError) as error:
            raise EngineError(
                f"vLLM has no place for this model's weights: {str(error)[:300]}",
                where="engine.rollout",
                expected="a model whose names vLLM knows: docs/models.md has the table",
                remedy='set engine.rollout.type = "local" to sample with the learner\'s own module',
            ) from error
        return answers
