"""The vLLM engine: sampling at a GPU's speed, with the sampler's log-probabilities and versions.

Facts that shaped it were measured on vLLM 0.32 (docs/clusters.md): log-probabilities must be asked
for as processed, or they are those at temperature 1; end-of-sequence ids are given outright, so
that both engines stop at the same ones; weights go through `reload_weights`, aliases of tied
tensors included, and the KV cache of running rollouts is computed anew afterwards, since keys and
values of the old policy under the new one give log-probabilities that neither has.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
from safetensors.torch import save_file
from torch import Tensor

from reasonrl.engines.protocols import Finished
from reasonrl.engines.stepping import SampleRequest, check_ready, generate_in_slices
from reasonrl.engines.weights import Compute, Weights, check_complete, in_parts
from reasonrl.errors import EngineError
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, StopReason, Tokens

_AUDITED = 4  # rows for sequences that are scored while all others run
_PREFILL_TOKENS = 8_192  # computed in one step, of prompts and running rollouts together
_MEMORY = Path("/dev/shm")  # noqa: S108  (weights for engines apart pass through memory)
_PREFIX = "reasonrl-weights-"
_FILE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings:
    """Say how an engine is started. `model` is a directory or a hub id; its weights are not read:
    an engine samples only once weights have been pushed, all of `weight_names`: a tied head that is
    not sent stays as it was, silently. `context_tokens` bound a prompt and its completion together;
    what is scored needs room for one more."""

    model: str
    weight_names: frozenset[str]
    eos_ids: tuple[int, ...]
    context_tokens: int
    compute: Compute
    max_rows: int
    tensor_parallel: int = 1
    memory_share: float = 0.85
    device: str = "cuda"
    can_sleep: bool = False
    is_apart: bool = False

    @property
    def runs_apart(self) -> bool:
        """Say whether the engine runs in processes of its own, as tensor parallel ones must."""
        return self.is_apart or self.tensor_parallel > 1


@dataclass(slots=True)
class _Running:
    """Hold one rollout while it is sampled. `updates` are places at which the weights changed."""

    request: SampleRequest
    version: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    updates: list[tuple[int, int]] = field(default_factory=list)


class VllmEngine:
    """Sample with vLLM in this process. Version -1 until weights have been loaded."""

    def __init__(self, settings: VllmSettings) -> None:
        self.version = -1
        self._settings = settings
        self._running: dict[str, _Running] = {}
        self._waiting: deque[SampleRequest] = deque()
        self._finished: list[tuple[int, Completion]] = []
        self._scoring: dict[str, Any] = {}  # what vLLM says of given tokens, None until it does
        self._is_asleep = False
        self._llm = _start(settings)

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
        """Begin what waits while there is room; vLLM's own queue would keep an audit waiting."""
        while self._waiting and len(self._running) < self._settings.max_rows:
            request = self._waiting.popleft()
            name = str(request.key)
            self._llm.llm_engine.add_request(
                name, _as_prompt(request.prompt), self._params(request)
            )
            self._running[name] = _Running(request, self.version)

    def advance(self, seconds: float) -> list[tuple[int, Completion]]:
        end = time.monotonic() + seconds
        while self._running and time.monotonic() < end:
            self._step()
        done, self._finished = self._finished, []
        return done

    def _step(self) -> None:
        """Compute one token for what runs, and take what that finishes."""
        for output in self._llm.llm_engine.step():
            if output.request_id in self._scoring:
                self._scoring[output.request_id] = output.prompt_logprobs
                continue
            running = self._running[output.request_id]
            [sampled] = output.outputs
            running.tokens.extend(sampled.token_ids)
            running.logprobs.extend(_chosen(sampled.token_ids, sampled.logprobs))
            if output.finished:
                del self._running[output.request_id]
                self._finished.append((running.request.key, self._completion(running)))
        self._admit()

    def _params(self, request: SampleRequest) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        sampling = request.sampling
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=1.0,
            top_k=0,
            max_tokens=sampling.max_new_tokens,
            seed=_seed(request),
            ignore_eos=True,  # our list is the list
            stop_token_ids=list(self._settings.eos_ids),
            logprobs=0,  # the sampled token's alone
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )

    def _completion(self, running: _Running) -> Completion:
        is_stopped = running.tokens[-1] in self._settings.eos_ids
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
                f"vLLM scores given tokens at temperature 1 only, asked for {temperature:g}"
            )
        from vllm import SamplingParams

        params = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        wholes = [np.concatenate(pair) for pair in pairs]
        self._scoring = {f"score/{place}": None for place in range(len(pairs))}
        for name, whole in zip(self._scoring, wholes, strict=True):
            self._llm.llm_engine.add_request(name, _as_prompt(whole), params)
        while None in self._scoring.values():  # what is being sampled goes on meanwhile
            self._step()
        places, self._scoring = list(self._scoring.values()), {}
        found = []
        for (prompt, _), whole, place in zip(pairs, wholes, places, strict=True):
            tail = slice(len(prompt), len(whole))
            values = _chosen(whole[tail].tolist(), place[tail])
            found.append(np.asarray(values, dtype=np.float32))
        return found

    # weights

    def load_weights(self, weights: Weights, *, version: int) -> None:
        if self._is_asleep:
            self._llm.wake_up()
            self._is_asleep = False
        check_complete(weights.tensors.keys(), self._settings.weight_names)
        if self._settings.runs_apart:
            self._reload_apart(weights)
        else:
            self._reload(weights_iterator=iter(weights.tensors.items()))
            self._llm.llm_engine.reset_prefix_cache(reset_running_requests=True)
        self.version = version
        for running in self._running.values():
            if running.tokens:
                running.updates.append((len(running.tokens), version))
            else:
                running.version = version

    def _reload(self, **source: object) -> None:
        self._llm.collective_rpc("reload_weights", kwargs=source)

    def _reload_apart(self, weights: Weights) -> None:
        """Reload in other processes, which would go on sampling meanwhile: hold them first.

        What they have sampled until then is taken in under the old version.
        """
        engine = self._llm.llm_engine
        self._llm.sleep(level=0, mode="keep")
        while not engine.engine_core.outputs_queue.empty():
            self._step()
        with _in_memory(weights) as directory:
            self._reload(weights_path=str(directory))
        engine.reset_prefix_cache(reset_running_requests=True)
        self._llm.wake_up(tags=["scheduling"])

    def rest(self) -> None:
        """Leave the GPU to somebody else: weights and cache are dropped, the version with them."""
        self._llm.sleep(level=2)
        self._is_asleep, self.version = True, -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._llm.llm_engine.engine_core.shutdown()


def _start(settings: VllmSettings) -> Any:
    """Start vLLM as the measurements ask for; on a CPU without compiling anything."""
    is_cpu = settings.device == "cpu"
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1" if settings.runs_apart else "0"
    if is_cpu:
        os.environ.setdefault("VLLM_CPU_CI_ENV", "1")
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")  # others work here too
    try:
        from vllm import LLM
    except ImportError as error:
        raise EngineError(
            f"vLLM cannot be imported: {error}",
            where="engine.rollout.type",
            remedy="pip install 'reasonrl[vllm]' on the nodes that sample",
        ) from error
    llm = LLM(
        model=settings.model,
        load_format="dummy",
        dtype=settings.compute,
        max_model_len=settings.context_tokens,
        max_num_seqs=settings.max_rows + _AUDITED,
        tensor_parallel_size=settings.tensor_parallel,
        gpu_memory_utilization=settings.memory_share,
        skip_tokenizer_init=True,
        generation_config="vllm",  # the model's own defaults would cut the support
        logprobs_mode="processed_logprobs",
        enforce_eager=is_cpu,
        # a prompt cut in two winds its rollout's generator back, which a CPU's cannot
        enable_chunked_prefill=not is_cpu,
        max_num_batched_tokens=max(settings.context_tokens, _PREFILL_TOKENS),
        enable_prefix_caching=True,  # the group's prompt is computed once
        enable_sleep_mode=settings.can_sleep and not is_cpu,
        distributed_executor_backend="mp" if settings.tensor_parallel > 1 else "uni",
        async_scheduling=False,  # a token in flight would carry the wrong version
        disable_log_stats=True,
    )
    if settings.runs_apart:  # from now on weights are read from files, and no dummies
        overrides = {"load_config": {"load_format": "safetensors"}}
        llm.collective_rpc("update_config", kwargs={"overrides": overrides})
    return llm


@contextmanager
def _in_memory(weights: Weights) -> Iterator[Path]:
    """Write weights as files into memory, a few at a time; remove what a killed process left."""
    place = _MEMORY if _MEMORY.is_dir() else Path(tempfile.gettempdir())
    for left in place.glob(f"{_PREFIX}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(_PREFIX))):
            shutil.rmtree(left, ignore_errors=True)
    directory = place / f"{_PREFIX}{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    try:
        for number, part in enumerate(in_parts(weights.tensors.items(), part_bytes=_FILE_BYTES)):
            for alias in _shared_in(part):
                part[alias] = part[alias].clone()
            whole = {name: tensor.contiguous() for name, tensor in part.items()}
            save_file(whole, directory / f"model-{number:05d}.safetensors")
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _shared_in(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names whose memory another one before them has."""
    seen: set[int] = set()
    shared = []
    for name, tensor in tensors.items():
        if tensor.data_ptr() in seen:
            shared.append(name)
        seen.add(tensor.data_ptr())
    return shared


def _as_prompt(tokens: Tokens) -> dict[str, list[int]]:
    return {"prompt_token_ids": tokens.tolist()}


def _chosen(tokens: Sequence[int], places: Any) -> list[float]:
    """Return the log-probabilities of the given tokens out of vLLM's dictionaries, one a place."""
    if places is None:
        raise EngineError("vLLM returned no log-probabilities", expected="one for each token")
    return [place[token].logprob for token, place in zip(tokens, places, strict=True)]


def _seed(request: SampleRequest) -> int:
    """Return a rollout's seed, from its prompt's and its place in the group."""
    text = f"{request.seed}/{request.index}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")
