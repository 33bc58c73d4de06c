"""The marks of tests that need Ray and vLLM, and the local engine as their reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasonrl.engines.local import LocalEngine
from reasonrl.models.hf import load_model
from tests.conftest import OPTIMIZER

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.filterwarnings("default"))  # Ray's and vLLM's own


@pytest.fixture
def local(model_dir):
    """The local engine on the same weights: the reference of all others."""
    return LocalEngine(load_model(str(model_dir)), OPTIMIZER, token_budget=4096, max_rows=64)
