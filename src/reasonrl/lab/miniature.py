"""Build the miniature: train it on the teacher's traces, measure its problems, keep it by hash.

Supervised learning is the on-policy update with advantage 1 for every trace, so the engine of the
reinforcement learning trains the miniature too. With one thread, and every draw from a seed, two
builds on one kind of machine are the same to the bit.
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
from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.protocols import TrainBatch, TrainGroup
from reasonrl.engines.threads import use_threads
from reasonrl.engines.update import OptimizerSettings
from reasonrl.errors import ModelError, StorageError
from reasonrl.lab.chains import ChainSpec
from reasonrl.lab.facts import Draws
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
from reasonrl.lab.world import OPEN, World, WorldSpec
from reasonrl.models.fetch import cache_dir
from reasonrl.models.hf import LanguageModel, settled
from reasonrl.models.random import EOS, SmallShape, build_small, word_ids
from reasonrl.terminal import Console
from reasonrl.types import Group, Message, Problem

NAME = "miniature"
MEASURED = (TRAIN, NOISY)
"""The files whose problems are tried, so that they have a difficulty."""

_MANIFEST = "MANIFEST.json"
_TOKENS = 8_192  # of a microbatch
_ROWS = 256
_PART = 64  # problems between two signs of progress
_OPTIMIZER = OptimizerSettings(
    betas=(0.9, 0.95), epsilon=1e-8, weight_decay=0.0, max_gradient_norm=1.0
)
_LIKELIHOOD = Objective(
    clip_low=0.2, clip_high=0.2, entropy_coefficient=0.0, kl_coefficient=0.0, temperature=1.0
)
"""The gradient of -log pi, for advantage 1 and old log-probabilities that are the policy's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The definition of a miniature: its world with the teacher, size, training and problems.

    `version` counts changes of the code that change what is built. With
    the size, 0.23M parameters, one core samples and trains a hundred steps of 256 rollouts in a
    minute and a half (docs/lab.md).
    """

    version: int = 4
    world: WorldSpec = field(default_factory=ChainSpec)
    shape: SmallShape = field(default_factory=SmallShape)
    steps: int = 600
    traces_per_step: int = 64
    learning_rate: float = 3e-3
    limit: int = 96
    sizes: Sizes = field(default_factory=Sizes)

    @property
    def key(self) -> str:
        """Return a short hash of the definition."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class Miniature:
    """A built miniature: its directory, and what was measured when it was built.

    `pass_rates` counts the training problems by right answers of 16; `lengths` are the deciles of
    the number of tokens of its rollouts; `digest` is a hash of its weights.
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


def directory_of(spec: Spec, seed: int) -> Path:
    """Return the directory of a miniature in the cache."""
    return cache_dir() / "lab" / f"{NAME}-{spec.key}-seed-{seed}"


def is_built(spec: Spec, seed: int) -> bool:
    """Return whether the cache has a miniature."""
    return (directory_of(spec, seed) / _MANIFEST).exists()


def ensure(spec: Spec, seed: int, console: Console) -> Miniature:
    """Return a miniature from the cache, its files checked by hash, or build it in minutes."""
    directory = directory_of(spec, seed)
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

    `seed` draws the weights and the traces; the world and the problems depend on the spec alone.
    """
    use_threads(1)
    keep_freed_memory()
    world = spec.world.make()
    words = world.words()
    model = settled(*build_small(words, OPEN, spec.shape, seed=seed), NAME)
    teacher = _Teacher(spec, world, seed, ids=word_ids(words, OPEN))
    with LocalEngine(model, _OPTIMIZER, token_budget=_TOKENS, max_rows=_ROWS) as engine:
        with console.phase("learning from traces", spec.steps) as progress:
            for step in range(spec.steps):
                _learn(engine, teacher.batch(model, step), spec, step)
                progress(1)
        files = draw_problems(world, spec.sizes)
        groups = {name: _measure(engine, files[name], spec, seed, console) for name in MEASURED}
    for name, tried in groups.items():
        files[name] = [with_difficulty(group, NAME) for group in tried]
    files[NOISY] = spoil(files[NOISY], world)
    directory.mkdir(parents=True)
    model.save(directory)
    for name, problems in files.items():
        write_problems(directory / name, problems)
    return _write_manifest(directory, spec, seed, model, groups[TRAIN])


def _measure(
    engine: LocalEngine, problems: Sequence[Problem], spec: Spec, seed: int, console: Console
) -> list[Group]:
    """Try the problems, a part of them at a time."""
    groups: list[Group] = []
    with console.phase("measuring problems", len(problems)) as progress:
        for start in range(0, len(problems), _PART):
            part = problems[start : start + _PART]
            groups += attempt(engine, part, limit=spec.limit, seed=seed)
            progress(len(part))
    return groups


@dataclass(frozen=True, slots=True)
class _Teacher:
    """A writer of batches of traces, as token ids."""

    spec: Spec
    world: World
    seed: int
    ids: dict[str, int]

    def batch(self, model: LanguageModel, step: int) -> TrainBatch:
        draws = Draws("traces", self.seed, step)
        questions = self.world.draw("traces", self.seed, step)
        groups = []
        for question in islice(questions, self.spec.traces_per_step):
            written = self.world.trace(question, draws)
            tokens = [self.ids[word] for word in (*written.split(), EOS)]
            prompt = Message(role="user", content=self.world.ask(question))
            groups.append(
                TrainGroup(
                    prompt=model.tokenizer.encode_chat([prompt]).tokens,
                    completions=(np.array(tokens, dtype=np.int32),),
                    advantages=(1.0,),
                )
            )
        n = sum(len(group.completions[0]) for group in groups)
        return TrainBatch(groups=tuple(groups), rollout_logprobs_N=np.zeros(n, np.float32))


def _learn(engine: LocalEngine, batch: TrainBatch, spec: Spec, step: int) -> None:
    """Take a step. The rate rises for the first 50 steps, and falls to 0 in the last third."""
    rate = min(1.0, (step + 1) / 50, 3 * (spec.steps - step) / spec.steps)
    engine.update(batch, _LIKELIHOOD, learning_rate=spec.learning_rate * rate)


# the directory


def _write_manifest(
    directory: Path, spec: Spec, seed: int, model: LanguageModel, groups: Sequence[Group]
) -> Miniature:
    completions = [rollout.completion for group in groups for rollout in group.rollouts]
    lengths = np.array([len(completion.tokens) for completion in completions])
    logprobs = np.concatenate([completion.logprobs for completion in completions])
    right = [right_of(group) for group in groups]
    miniature = Miniature(
        directory=directory,
        seed=seed,
        digest=model.digest(),
        n_parameters=sum(weight.numel() for weight in model.module.parameters()),
        accuracy=sum(right) / len(completions),
        entropy_nats=-float(logprobs.mean(dtype=np.float64)),
        mean_tokens=float(lengths.mean()),
        lengths=tuple(int(np.quantile(lengths, part / 10)) for part in range(11)),
        pass_rates=tuple(right.count(n) for n in range(ATTEMPTS + 1)),
    )
    facts = {key: value for key, value in asdict(miniature).items() if key != "directory"}
    files = {path.name: _sha256(path) for path in sorted(directory.iterdir())}
    manifest = {"spec": asdict(spec), "found": facts, "files": files}
    write_atomic(directory / _MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return miniature


def _checked(directory: Path) -> Miniature:
    """Return what the manifest says, after comparing every file with it."""
    try:
        manifest = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        for name, expected in manifest["files"].items():
            if _sha256(directory / name) != expected:
                raise _damaged(directory, f"{name} is not the file that was built")
        facts = manifest["found"]
        lists = {name: tuple(facts[name]) for name in ("lengths", "pass_rates")}
        return Miniature(directory=directory, **{**facts, **lists})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        raise _damaged(directory, f"its manifest or a file cannot be read: {error}") from error


def _damaged(directory: Path, what: str) -> ModelError:
    return ModelError(
        what,
        where=str(directory),
        remedy="delete the directory; the next command that needs it builds it again",
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _publish(built: Path, directory: Path) -> None:
    """Move a finished build into place, unless another process was faster."""
    if (directory / _MANIFEST).exists():
        return
    if directory.exists():  # without its manifest
        shutil.rmtree(directory)
    built.rename(directory)


def differing_files(spec: Spec, seed: int, console: Console) -> list[str]:
    """Build a miniature again and return the files that differ from the files in the cache."""
    kept = json.loads((directory_of(spec, seed) / _MANIFEST).read_text(encoding="utf-8"))["files"]
    with TemporaryDirectory() as scratch:
        build(spec, seed, Path(scratch) / "built", console)
        manifest = (Path(scratch) / "built" / _MANIFEST).read_text(encoding="utf-8")
    built = json.loads(manifest)["files"]
    return sorted(name for name in kept | built if kept.get(name) != built.get(name))
