"""What tests share: a tiny model, an engine on it, and groups to learn from."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from reasonrl.engines.local import LocalEngine
from reasonrl.engines.protocols import TrainBatch, TrainGroup
from reasonrl.engines.threads import use_threads
from reasonrl.engines.update import OptimizerSettings
from reasonrl.models.hf import load_model
from reasonrl.models.random import build_tiny
from reasonrl.types import Prompt, Sampling

REPOSITORY = Path(__file__).resolve().parents[1]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a runner in a shell's background ignores Ctrl-C, and so would the processes of the tests
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep a file's tests together if its mark `xdist_group` says so: they share costly fixtures.

    xdist 3.8 itself does not see the mark with pytest 9.2, where the id of a test cannot be set.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    @cache
    def group_of(file: str) -> str:
        text = (config.rootpath / file).read_text(encoding="utf-8")
        found = re.search(r'^pytestmark = .*xdist_group\("(.+?)"\)', text, re.MULTILINE)
        return found[1] if found else ""

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid.partition("::")[0]) or nodeid

    return ByGroup(config, log)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small tensors are fastest on one thread, and test workers share the cores."""
    use_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The problem sets that lie beside the repository on some machines."""
    directory = REPOSITORY.parent / "shared" / "data"
    if not directory.is_dir():
        pytest.skip("needs the problem sets in ../shared/data")
    return directory


OPTIMIZER = OptimizerSettings(
    betas=(0.9, 0.999), epsilon=1e-8, weight_decay=0.01, max_gradient_norm=1.0
)


@pytest.fixture
def make_engine():
    """Return a function that makes a fresh engine on the tiny model; same seed, same weights."""

    def make(*, token_budget=4096, max_rows=64, seed=0, **options) -> LocalEngine:
        return LocalEngine(
            load_model("tiny", seed=seed),
            OPTIMIZER,
            token_budget=token_budget,
            max_rows=max_rows,
            **options,
        )

    return make


def prompts_of(engine: LocalEngine, texts: list[str]) -> list[Prompt]:
    """Encode plain texts; each prompt's seed is its index."""
    from reasonrl.types import Message

    encode = engine.model.tokenizer.encode_chat
    return [
        Prompt(tokens=encode([Message(role="user", content=text)]).tokens, seed=number)
        for number, text in enumerate(texts)
    ]


def batch_of(prompts, groups, *, seed=0, **logprobs) -> TrainBatch:
    """Make a batch of sampled groups, with advantages drawn from a seed."""
    rng = np.random.default_rng(seed)
    return TrainBatch(
        groups=tuple(
            TrainGroup(
                prompt=prompt.tokens,
                completions=tuple(completion.tokens for completion in group),
                advantages=tuple(rng.normal(size=len(group)).tolist()),
            )
            for prompt, group in zip(prompts, groups, strict=True)
        ),
        rollout_logprobs_N=np.concatenate([c.logprobs for group in groups for c in group]),
        **logprobs,
    )


TEXTS = ["1+1", "What is 12 + 7?", "a", "Name a prime above 10, please."]


@pytest.fixture
def sampled(make_engine):
    """An engine, four prompts of uneven length, and six completions of each."""
    engine = make_engine()
    prompts = prompts_of(engine, TEXTS)
    groups = engine.generate(prompts, Sampling(max_new_tokens=12, group_size=6))
    return engine, prompts, groups


# A cluster on this machine, for the tests that are marked `cluster`: ray is imported by them alone.


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory) -> Path:
    """The tiny model with heads of 32, which vLLM computes on a CPU, saved as any model is."""
    directory = tmp_path_factory.mktemp("model")
    model, tokenizer = build_tiny(head_size=32)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def cluster_address(tmp_path_factory) -> Iterator[str]:
    """The address of a Ray cluster of two nodes, with room for everything that tests start.

    Ray gives its workers a low priority by default, and any other busy process starves them.
    """
    from ray.cluster_utils import Cluster

    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  (its name)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 8, "include_dashboard": False},
    )
    cluster.add_node(num_cpus=8)
    cluster.wait_for_nodes()
    yield cluster.address
    cluster.shutdown()


@pytest.fixture(scope="session")
def cluster(cluster_address) -> Iterator[None]:
    """This process, connected to the cluster."""
    import ray

    ray.init(address=cluster_address, log_to_driver=False)
    yield
    ray.shutdown()


def run_script(path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a Python script of its own, as a caller of the package would."""
    path.write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
