"""A written recipe parses, extends the given one, and plans as fitting; nothing is overwritten."""

import tomllib

import pytest

from tests.e2e.support import RECIPES, reasonrl_here

CARD = ("--set", "engine.device=cuda", "--set", "engine.compute=bfloat16", "--gpu", "4090")
QWEN = ("--set", "model.name=Qwen/Qwen3-0.6B", "--set", "stage.1.rollout.max_new_tokens=4096")


def test_a_recipe_that_does_not_fit_is_written_with_the_settings_that_fit(tmp_path):
    out = tmp_path / "fitted.toml"
    assert reasonrl_here("plan", "quickstart", *CARD, *QWEN).returncode == 1
    done = reasonrl_here("plan", "quickstart", *CARD, *QWEN, "--write", out)
    assert done.returncode == 0
    assert f"wrote {out}; train with `reasonrl train {out}`" in done.stdout.replace("\n", "")
    again = reasonrl_here("plan", out, "--gpu", "4090")
    assert again.returncode == 0
    assert "fits on RTX 4090 (24 GB)\n" in again.stdout
    written = tomllib.loads(out.read_text())
    assert written["extends"] == "quickstart"
    assert written["engine"]["max_rows"] < 128
    assert "# quickstart with settings that are planned to fit on RTX 4090 (24 GB)" in (
        out.read_text()
    )


def test_a_block_of_a_cluster_is_written_with_more_gpus(tmp_path):
    out = tmp_path / "fitted.toml"
    block = ("--set", "engine=gpus-8")
    done = reasonrl_here("plan", RECIPES / "or1-32b.toml", *block, "--write", out)
    assert done.returncode == 0
    assert "fit on 16 x H800 (80 GB)" in out.read_text()
    assert "fits on 16 x H800 (80 GB)\n" in reasonrl_here("plan", out).stdout


def test_a_recipe_that_fits_is_written_with_the_options_alone(tmp_path):
    out = tmp_path / "same.toml"
    done = reasonrl_here("plan", "quickstart", *CARD, "--write", out)
    assert done.returncode == 0
    assert tomllib.loads(out.read_text())["engine"] == {"device": "cuda", "compute": "bfloat16"}


def test_a_file_that_is_there_is_kept(tmp_path):
    out = tmp_path / "mine.toml"
    out.write_text("mine")
    done = reasonrl_here("plan", "quickstart", *CARD, "--write", out)
    assert done.returncode == 2
    assert "this file is there already; remove it, or name another file" in done.stderr
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "said"),
    [("fitted", "pass --write"), ("nowhere/a.toml", "no such directory; make it: mkdir -p")],
)
def test_a_file_that_cannot_be_a_recipe_is_refused_before_the_plan(name, said, tmp_path):
    done = reasonrl_here("plan", "quickstart", *CARD, "--write", tmp_path / name)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_where_nothing_fits_nothing_is_written(tmp_path):
    out = tmp_path / "fitted.toml"
    model = ("--set", "model.name=Qwen/Qwen3-8B")
    done = reasonrl_here("plan", "quickstart", *CARD, *model, "--write", out)
    assert done.returncode == 1
    assert "nothing was written" in done.stderr
    assert not out.exists()


def test_on_a_cpu_a_named_card_is_not_used_and_the_plan_says_so(tmp_path):
    done = reasonrl_here("plan", "quickstart", "--gpu", "4090")
    assert done.returncode == 0
    assert 'engine.device = "cpu": RTX 4090 (24 GB) is not used' in done.stdout
    assert "is not used" not in reasonrl_here("plan", "quickstart").stdout
    written = reasonrl_here("plan", "quickstart", "--write", tmp_path / "a.toml")
    assert written.returncode == 2
    assert "pass --set engine.device=cuda" in written.stderr
