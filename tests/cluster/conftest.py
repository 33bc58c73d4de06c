"""A Ray cluster of two nodes on this machine, and a small model that vLLM computes on a CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from reasonrl.engines.local import LocalEngine
from reasonrl.models.hf import load_model
from reasonrl.models.random import build_tiny
from tests.conftest import OPTIMIZER

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.filterwarnings("default"))  # Ray's and vLLM's own


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory) -> Path:
    """The tiny model with heads of 32, saved as any model is."""
    directory = tmp_path_factory.mktemp("model")
    model, tokenizer = build_tiny(head_size=32)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def cluster_address(tmp_path_factory) -> Iterator[str]:
    """Two nodes, with room for everything that tests start side by side.

    Ray's workers are otherwise so polite that any other busy process starves them.
    """
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
    ray.init(address=cluster_address, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def local(model_dir):
    """The local engine on the same weights: the reference of all others."""
    return LocalEngine(load_model(str(model_dir)), OPTIMIZER, token_budget=4096, max_rows=64)
