"""Sample with vLLM, with the sampler's log-probabilities and versions.

Its design follows measurements on vLLM 0.32 (docs/clusters.md). Log-probabilities must be requested
as processed, otherwise they are those at temperature 1. End-of-sequence ids are passed explicitly,
so that both engines stop at the same ids. Weights go through `reload_weights`, aliases of tied
tensors included; afterwards the KV cache of running rollouts is computed again, because keys and
values of the old policy under the new one give log-probabilities that neither policy has.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np

from reasonrl.engines.checksums import Checksums
from reasonrl.engines.protocols import Finished
from reasonrl.engines.stepping import SampleRequest, check_ready, generate_in_slices
from reasonrl.engines.stopping import Decoder, StopTexts
from reasonrl.engines.transfer import ShareLayout, WireSeat
from reasonrl.engines.vllm.settings import VllmSettings, start
from reasonrl.engines.vllm.weights import VllmWeights
from reasonrl.engines.weights import Weights, check_complete
from reasonrl.errors import EngineError
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, StopReason, Tokens

# Priorities of requests. vLLM takes the smaller number first, also before rollouts that it had to
# put back into its queue: an audit behind them would wait for thousands of steps.
_SCORED, _SAMPLED = 0, 1


@dataclass(slots=True)
class _Running:
    """A rollout that is being sampled. `updates` are (first token, version) of weight changes."""

    request: SampleRequest
    version: int
    stop: StopTexts | None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    updates: list[tuple[int, int]] = field(default_factory=list)

    @property
    def is_stopped(self) -> bool:
        """Return whether the newest token completes a stop text."""
        return self.stop is not None and self.stop.are_reached(self.tokens)


class VllmEngine:
    """Sample with vLLM. The version is -1 until weights have been loaded."""

    def __init__(self, settings: VllmSettings) -> None:
        self.version = -1
        # Off only where the cost of seeds is measured: rollouts are then not repeatable.
        self.has_seeds = True
        self._settings = settings
        self._running: dict[str, _Running] = {}
        self._waiting: deque[SampleRequest] = deque()
        self._finished: list[tuple[int, Completion]] = []
        # The outputs of sequences that are scored by request name, None until they are finished.
        self._scoring: dict[str, Any] = {}
        self._is_asleep = False
        self._llm = start(settings)
        self._weights = VllmWeights(self._llm, settings)

    # sampling

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        return generate_in_slices(self, prompts, sampling, on_finished)

    def submit(self, requests: Sequence[SampleRequest]) -> None:
        check_ready(self.version)
        self._waiting.extend(requests)
        self._admit()

    def _admit(self) -> None:
        """Start waiting requests while rows are free; an audit would wait in vLLM's own queue."""
        while self._waiting and len(self._running) < self._settings.max_rows:
            request = self._waiting.popleft()
            name = str(request.key)
            self._llm.llm_engine.add_request(
                name, _as_prompt(request.prompt), self._params(request), priority=_SAMPLED
            )
            texts = request.sampling.stop
            stop = StopTexts(texts, self._decoder) if texts else None
            self._running[name] = _Running(request, self.version, stop)

    def advance(self, seconds: float) -> list[tuple[int, Completion]]:
        end = time.monotonic() + seconds
        while self._running and time.monotonic() < end:
            self._step()
        done, self._finished = self._finished, []
        return done

    def _step(self) -> None:
        """Compute one token for each running rollout, and collect those that end with it."""
        for output in self._llm.llm_engine.step():
            if output.request_id in self._scoring:
                # A finished output without log-probabilities is an error and no reason to wait.
                if output.finished:
                    self._scoring[output.request_id] = output
                continue
            running = self._running[output.request_id]
            [sampled] = output.outputs
            running.tokens.extend(sampled.token_ids)
            running.logprobs.extend(_chosen(sampled.token_ids, sampled.logprobs, slice(None)))
            is_stopped = running.is_stopped
            if is_stopped and not output.finished:
                self._llm.llm_engine.abort_request([output.request_id])
            if is_stopped or output.finished:
                del self._running[output.request_id]
                self._finished.append((running.request.key, self._completion(running)))
        self._admit()

    @cached_property
    def _decoder(self) -> Decoder:
        """The tokenizer, which only stop texts need: vLLM itself works without it."""
        from reasonrl.models.hf import load_tokenizer

        return load_tokenizer(self._settings.model)[0].hf

    def _params(self, request: SampleRequest) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        sampling = request.sampling
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            max_tokens=sampling.max_new_tokens,
            seed=_seed(request) if self.has_seeds else None,
            # Stop only at stop_token_ids, and return log-probabilities of sampled tokens only.
            ignore_eos=True,
            stop_token_ids=list(self._settings.eos_ids),
            logprobs=0,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )

    def _completion(self, running: _Running) -> Completion:
        is_ended = running.tokens[-1] in self._settings.eos_ids
        is_stopped = is_ended or running.is_stopped
        return Completion(
            tokens=np.asarray(running.tokens, dtype=np.int32),
            logprobs=np.asarray(running.logprobs, dtype=np.float32),
            stop=StopReason.STOP if is_stopped else StopReason.LENGTH,
            version=running.version,
            updates=tuple(running.updates),
        )

    # scoring

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        check_ready(self.version)
        if temperature != 1.0:
            raise EngineError(
                f"vLLM cannot score given tokens at temperature {temperature:g}",
                expected="temperature 1",
            )
        from vllm import SamplingParams

        params = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        wholes = [np.concatenate(pair) for pair in pairs]
        self._scoring = {f"score/{number}": None for number in range(len(pairs))}
        for name, whole in zip(self._scoring, wholes, strict=True):
            self._llm.llm_engine.add_request(name, _as_prompt(whole), params, priority=_SCORED)
        # Running rollouts continue meanwhile.
        while None in self._scoring.values():
            self._step()
        outputs, self._scoring = list(self._scoring.values()), {}
        scores = []
        for (prompt, _), whole, output in zip(pairs, wholes, outputs, strict=True):
            tail = slice(len(prompt), len(whole))
            values = _chosen(whole[tail].tolist(), output.prompt_logprobs, tail)
            scores.append(np.asarray(values, dtype=np.float32))
        return scores

    # weights

    def checksums(self) -> Checksums:
        check_ready(self.version)
        return self._weights.checksums()

    def load_weights(self, weights: Weights, *, version: int) -> None:
        with self._replaced(weights.tensors, version):
            self._weights.load(weights.tensors)

    def join_wire(self, seat: WireSeat) -> None:
        self._weights.join_wire(seat)

    def receive(self, layout: ShareLayout, otherwise: Weights, *, version: int) -> str:
        with self._replaced(layout.names, version):
            if broken := self._weights.receive(layout):
                self._weights.load(otherwise.tensors)
        return broken

    @contextmanager
    def _replaced(self, names: Collection[str], version: int) -> Iterator[None]:
        """Replace the weights in this context; running rollouts go on with the new version.

        Workers in other processes sample meanwhile, so they are paused. Tokens that they have
        sampled until then are collected under the old version.
        """
        if self._is_asleep:
            self._llm.wake_up()
            self._is_asleep = False
        check_complete(set(names), self._settings.weight_names)
        engine = self._llm.llm_engine
        if self._settings.runs_apart:
            self._llm.sleep(level=0, mode="keep")
            while not engine.engine_core.outputs_queue.empty():
                self._step()
        yield
        engine.reset_prefix_cache(reset_running_requests=True)
        if self._settings.runs_apart:
            self._llm.wake_up(tags=["scheduling"])
        self.version = version
        for running in self._running.values():
            if running.tokens:
                running.updates.append((len(running.tokens), version))
            else:
                running.version = version

    def rest(self) -> None:
        """Free the GPU: drop weights, cache and version."""
        self._llm.sleep(level=2)
        self._is_asleep, self.version = True, -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._llm.llm_engine.engine_core.shutdown()
        except RuntimeError:
            # Memory that a sleeping engine gave back cannot be given back again.
            if not self._is_asleep:
                raise


def _as_prompt(tokens: Tokens) -> dict[str, list[int]]:
    return {"prompt_token_ids": tokens.tolist()}


def _chosen(tokens: Sequence[int], by_position: Any, part: slice) -> list[float]:
    """Return the log-probabilities of tokens, which stand at `part` of vLLM's dictionaries."""
    if by_position is None:
        raise EngineError(
            "vLLM returned no log-probabilities",
            expected="one for each token",
            remedy="install a version of vLLM that this project was tested with (docs/clusters.md)",
        )
    return [
        candidates[token].logprob
        for token, candidates in zip(tokens, by_position[part], strict=True)
    ]


def _seed(request: SampleRequest) -> int:
    """Return a rollout's seed, from its prompt's seed and its index in the group."""
    text = f"{request.seed}/{request.index}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")
