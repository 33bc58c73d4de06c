"""The shape of a recipe's model: a table, a directory, a run, the hub's cache, and no network."""

import json
import subprocess
import sys

import pytest

from reasonrl.errors import ConfigError
from reasonrl.launch.shapes import shape_of_model
from reasonrl.planning.published import SHAPES
from tests.unit.planning.test_shapes import QWEN_7B

SHAPE_7B = SHAPES["Qwen/Qwen2.5-7B"]


@pytest.fixture(autouse=True)
def _offline(tmp_path, monkeypatch):
    """Give the hub an empty cache, and no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def keep_in_cache(cache, name, config):
    """Write a config.json where the hub's cache keeps it, as a download does."""
    root = cache / f"models--{name.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text("0" * 40)
    snapshot = root / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(config))


def test_a_published_model_and_a_directory_need_no_hub(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(QWEN_7B))
    assert shape_of_model(str(tmp_path)) == SHAPE_7B == shape_of_model("Qwen/Qwen2.5-7B")


def test_a_hub_id_in_the_cache_is_read_from_there(tmp_path):
    keep_in_cache(tmp_path / "hub", "somebody/my-7b", QWEN_7B)
    assert shape_of_model("somebody/my-7b") == SHAPE_7B


def test_a_cached_model_of_another_family_is_refused_by_its_key(tmp_path):
    keep_in_cache(tmp_path / "hub", "somebody/mamba", {**QWEN_7B, "model_type": "mamba"})
    with pytest.raises(ConfigError, match=r'model_type = "mamba".*one of llama'):
        shape_of_model("somebody/mamba")


def test_a_run_means_its_final_model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "model" / "config.json").write_text(json.dumps(QWEN_7B))
    assert shape_of_model(str(tmp_path)) == SHAPE_7B


def test_offline_an_unknown_hub_id_asks_for_the_shape():
    with pytest.raises(ConfigError, match=r"cannot be fetched.*pass --set model\.name=DIR"):
        shape_of_model("somebody/nowhere")


@pytest.mark.parametrize("name", ["nowhere", "./nowhere", "a/b/c", "../x", "pypi:other==1"])
def test_a_name_that_is_no_hub_id_is_not_looked_up(name):
    with pytest.raises(ConfigError, match=r"nor a hub id.*model\.name=DIR"):
        shape_of_model(name)


def test_the_command_loads_neither_torch_nor_transformers():
    code = (
        "import sys, reasonrl.launch.fitted, reasonrl.planning.plan, reasonrl.cli.show.plan\n"
        "from reasonrl.launch.shapes import shape_of_model\n"
        "shape_of_model('tiny')\n"
        "assert not {'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
