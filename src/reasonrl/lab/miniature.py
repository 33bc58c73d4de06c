"""Build the miniature: train it on the teacher's traces, measure its problems, keep it by hash.

Supervised learning is the on-policy update with advantage 1 for every trace, so the engine that
does the reinforcement learning does this too. One thread, every draw from a seed: two builds on
one kind of machine are the same to the bit. Called by `cli_study` and `studies`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from reasonrl.algo.loss import Objective
from reasonrl.atomic import write_atomic
from reasonrl.engines.local import LocalEngine
from reasonrl.engines.process import keep_freed_memory, use_threads
from reasonrl.engines.protocols import TrainBatch, TrainGroup
from reasonrl.engines.update import OptimizerSettings
from reasonrl.errors import ModelError, StorageError
from reasonrl.lab.problems import (
    ATTEMPTS,
    NOISY,
    TRAIN,
    Sizes,
    attempt,
    draw_problems,
    right_of,
    spoil,
    with_difficulty,
    write_problems,
)
from reasonrl.lab.traces import OPEN, Habits, vocabulary, write_trace
from reasonrl.lab.world import Draws, World, WorldSpec, draw_chains, make_world, question
from reasonrl.models.fetch import cache_dir
from reasonrl.models.hf import LanguageModel, settled
from reasonrl.models.random import EOS, SmallShape, build_small, word_ids
from reasonrl.terminal import Console
from reasonrl.types import Group, Message, Problem

NAME = "miniature"
MEASURED = (TRAIN, NOISY)
"""Files whose problems are tried."""

_MANIFEST = "MANIFEST.json"
_TOKENS = 8_192  # of a microbatch
_ROWS = 256
_PART = 64  # problems that are tried between two signs of progress
_OPTIMIZER = OptimizerSettings(
    betas=(0.9, 0.95), epsilon=1e-8, weight_decay=0.0, max_gradient_norm=1.0
)
_LIKELIHOOD = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)
"""With advantage 1 and its own log-probabilities for the old ones, the gradient of -log pi."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Say what a miniature is: its world, its teacher, its size, its training and its problems.

    `version` counts changes of the code that change what is built. 0.23M parameters: what one core
    samples and trains a hundred steps of 256 rollouts with in a minute and a half (docs/lab.md).
    """

    version: int = 2
    world: WorldSpec = field(default_factory=WorldSpec)
    habits: Habits = field(default_factory=Habits)
    shape: SmallShape = field(default_factory=SmallShape)
    steps: int = 600
    traces_per_step: int = 64
    learning_rate: float = 3e-3
    limit: int = 96
    sizes: Sizes = field(default_factory=Sizes)

    @property
    def key(self) -> str:
        """Return a short hash of all of it."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class Miniature:
    """Hold where a miniature lies and what was measured of it when it was built.

    `pass_rates` counts training problems by right answers of 16; `lengths` are the deciles of
    the tokens of its rollouts; `digest` is a hash of its weights.
    """

    directory: Path
    seed: int
    digest: str
    n_parameters: int
    accuracy: float
    entropy_nats: float
    mean_tokens: float
    lengths: tuple[int, ...]
    pass_rates: tuple[int, ...]


def place(spec: Spec, seed: int) -> Path:
    """Return where a miniature is kept."""
    return cache_dir() / "lab" / f"{NAME}-{spec.key}-seed-{seed}"


def is_built(spec: Spec, seed: int) -> bool:
    """Say whether the cache has a miniature."""
    return (place(spec, seed) / _MANIFEST).exists()


def ensure(spec: Spec, seed: int, console: Console) -> Miniature:
    """Return a miniature from the cache, its files checked by hash, or build it: two minutes."""
    directory = place(spec, seed)
    if is_built(spec, seed):
        return _checked(directory)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=directory.parent) as scratch:
            build(spec, seed, Path(scratch) / "built", console)
            _publish(Path(scratch) / "built", directory)
    except OSError as error:
        raise StorageError(
            f"could not store the miniature: {error}",
            where=str(directory),
            remedy="free 20 MB there, or set REASONRL_CACHE to another directory",
        ) from error
    return _checked(directory)


def build(spec: Spec, seed: int, directory: Path, console: Console) -> Miniature:
    """Train a miniature and write it, with its problems, to a directory.

    `seed` draws weights and traces; world and problems are the spec's.
    """
    use_threads(1)
    keep_freed_memory()
    world = make_world(spec.world)
    words = vocabulary(spec.world)
    model = settled(*build_small(words, OPEN, spec.shape, seed=seed), NAME)
    teacher = _Teacher(spec, world, seed, ids=word_ids(words, OPEN))
    with LocalEngine(model, _OPTIMIZER, token_budget=_TOKENS, max_rows=_ROWS) as engine:
        with console.phase("learning from traces", spec.steps) as progress:
            for step in range(spec.steps):
                _learn(engine, teacher.batch(model, step), spec, step)
                progress(1)
        files = draw_problems(spec.world, world, spec.sizes)
        groups = {name: _measure(engine, files[name], spec, seed, console) for name in MEASURED}
    for name, found in groups.items():
        files[name] = [with_difficulty(group, NAME) for group in found]
    files[NOISY] = spoil(files[NOISY], spec.world)
    directory.mkdir(parents=True)
    model.save(directory)
    for name, problems in files.items():
        write_problems(directory / name, problems)
    return _write_manifest(directory, spec, seed, model, groups[TRAIN])


def _measure(
    engine: LocalEngine, problems: Sequence[Problem], spec: Spec, seed: int, console: Console
) -> list[Group]:
    """Try problems, some at a time."""
    groups: list[Group] = []
    with console.phase("measuring problems", len(problems)) as progress:
        for start in range(0, len(problems), _PART):
            some = problems[start : start + _PART]
            groups += attempt(engine, some, limit=spec.limit, seed=seed)
            progress(len(some))
    return groups


@dataclass(frozen=True, slots=True)
class _Teacher:
    """Write batches of traces as token ids."""

    spec: Spec
    world: World
    seed: int
    ids: dict[str, int]

    def batch(self, model: LanguageModel, step: int) -> TrainBatch:
        draws = Draws("traces", self.seed, step)
        chains = draw_chains(self.spec.world, "traces", self.seed, step)
        groups = []
        for chain in islice(chains, self.spec.traces_per_step):
            written = write_trace(self.world, chain, self.spec.habits, draws)
            tokens = [self.ids[word] for word in (*written.split(), EOS)]
            asked = Message(role="user", content=question(chain))
            groups.append(
                TrainGroup(
                    prompt=model.tokenizer.encode_chat([asked]),
                    completions=(np.array(tokens, dtype=np.int32),),
                    advantages=(1.0,),
                )
            )
        n = sum(len(group.completions[0]) for group in groups)
        return TrainBatch(groups=tuple(groups), rollout_logprobs_N=np.zeros(n, np.float32))


def _learn(engine: LocalEngine, batch: TrainBatch, spec: Spec, step: int) -> None:
    """Take a step: up to the full rate in the first 50, down to 0 in the last third of them."""
    rate = min(1.0, (step + 1) / 50, 3 * (spec.steps - step) / spec.steps)
    engine.update(batch, _LIKELIHOOD, learning_rate=spec.learning_rate * rate)


# the directory


def _write_manifest(
    directory: Path, spec: Spec, seed: int, model: LanguageModel, groups: Sequence[Group]
) -> Miniature:
    completions = [rollout.completion for group in groups for rollout in group.rollouts]
    lengths = np.array([len(one.tokens) for one in completions])
    logprobs = np.concatenate([one.logprobs for one in completions])
    right = [right_of(group) for group in groups]
    found = Miniature(
        directory=directory,
        seed=seed,
        digest=model.digest(),
        n_parameters=sum(one.numel() for one in model.module.parameters()),
        accuracy=sum(right) / len(completions),
        entropy_nats=-float(logprobs.mean(dtype=np.float64)),
        mean_tokens=float(lengths.mean()),
        lengths=tuple(int(np.quantile(lengths, part / 10)) for part in range(11)),
        pass_rates=tuple(right.count(n) for n in range(ATTEMPTS + 1)),
    )
    facts = {key: value for key, value in asdict(found).items() if key != "directory"}
    files = {path.name: _sha256(path) for path in sorted(directory.iterdir())}
    manifest = {"spec": asdict(spec), "found": facts, "files": files}
    write_atomic(directory / _MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return found


def _checked(directory: Path) -> Miniature:
    """Read what the manifest says, after comparing every file with it."""
    try:
        manifest = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        for name, expected in manifest["files"].items():
            if _sha256(directory / name) != expected:
                raise _damaged(directory, f"{name} is not the file that was built")
        found = manifest["found"]
        lists = {name: tuple(found[name]) for name in ("lengths", "pass_rates")}
        return Miniature(directory=directory, **{**found, **lists})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        raise _damaged(directory, f"its manifest or a file cannot be read: {error}") from error


def _damaged(directory: Path, what: str) -> ModelError:
    return ModelError(
        what,
        where=str(directory),
        remedy="delete the directory; it is built again when it is next needed",
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _publish(built: Path, directory: Path) -> None:
    """Move a finished build into place, unless another process was faster."""
    if (directory / _MANIFEST).exists():
        return
    if directory.exists():  # somebody took the manifest away
        shutil.rmtree(directory)
    built.rename(directory)


def differing_files(spec: Spec, seed: int, console: Console) -> list[str]:
    """Build a miniature anew and return the files that differ from those in the cache."""
    kept = json.loads((place(spec, seed) / _MANIFEST).read_text(encoding="utf-8"))["files"]
    with TemporaryDirectory() as scratch:
        build(spec, seed, Path(scratch) / "built", console)
        manifest = (Path(scratch) / "built" / _MANIFEST).read_text(encoding="utf-8")
    built = json.loads(manifest)["files"]
    return sorted(name for name in kept | built if kept.get(name) != built.get(name))
