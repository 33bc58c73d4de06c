"""Data recipes: all that are shipped can be read, wrong ones say what is wrong."""

import pytest

from reasonrl.curation.recipe import (
    CleanConfig,
    DataRecipe,
    DecontaminateConfig,
    DedupConfig,
    DifficultyConfig,
    JudgeConfig,
    PublishConfig,
    QualityConfig,
    RawSource,
    SemanticConfig,
)
from reasonrl.recipe.tables import read_tables
from reasonrl.recipe.toml import parse
from tests.e2e.support import RECIPES
from tests.e2e.support import reasonrl_here as here

SHIPPED = sorted((RECIPES / "data").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_can_be_read(path):
    recipe = parse(DataRecipe, read_tables(path), where=path.name)
    assert recipe.name == path.stem
    assert recipe.protected


def test_the_guide_names_every_key():
    guide = (RECIPES.parent / DataRecipe.guide).read_text()
    tables = {
        "(top)": DataRecipe, "source": RawSource, "clean": CleanConfig, "dedup": DedupConfig,
        "dedup.semantic": SemanticConfig, "decontaminate": DecontaminateConfig,
        "difficulty": DifficultyConfig, "quality": QualityConfig, "quality.judge": JudgeConfig,
        "publish": PublishConfig,
    }  # fmt: skip
    for name, table in tables.items():
        row = next(line for line in guide.splitlines() if line.startswith(f"| `{name}`"))
        assert not {key for key in table.model_fields if f"`{key}`" not in row}, name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("dedupe.near=0.8", "nearest is 'dedup'"),
        ("dedupe.near=0.8", "see docs/curation.md"),
        ("dedup.naer=0.8", "nearest is 'dedup.near'"),
        ("dedup.near=0.1", "dedup.near"),
        ('source.1.type="gsm8"', "source.1"),
        ('clean.allow=["figures"]', "clean.allow"),
        ("quality.votes=16", "quality.judge"),
        ('difficulty={model="tiny", highest=17}', "difficulty.highest"),
        ('difficulty={model="tiny", lowest=5, highest=2}', "lowest is above highest"),
        ("publish.mix.train-math-gsm8k=-1", "publish.mix.train-math-gsm8k"),
        ("publish.mix.train-math-gsm8k=1e9", "publish.mix.train-math-gsm8k"),
        ("publish.mix.train-math-gsm8k=inf", "publish.mix.train-math-gsm8k"),
        ("publish.mix.train-math-gsm8k=nan", "publish.mix.train-math-gsm8k"),
        ('source=[{type="gsm8k", before=1990}]', "before is for type aime"),
        ('source=[{type="gsm8k", columns={problem="x"}}]', "columns are for type file"),
        (
            'source=[{type="gsm8k", split="train"}, {type="gsm8k", split="test"}]',
            "two sources are named train-math-gsm8k",
        ),
        ('source=[{type="gsm8k"}]', 'set split = "train" or split = "test"'),
        ('source=[{type="aime", split="train"}]', "split is for gsm8k and for a folder"),
        ('protected=[{type="gsm8k", split="train"}]', "an evaluation takes the test half"),
        ('source=[{type="file", path="x.jsonl"}]', "needs path and name"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, change, said):
    done = here(
        "data", "build", RECIPES / "data" / "gsm8k.toml", "--out", tmp_path, "--set", change
    )
    assert done.returncode == 2
    assert said in done.stderr


def test_a_missing_file_is_named_with_its_nearest(tmp_path):
    (tmp_path / "train.jsonl").write_text("{}")
    recipe = tmp_path / "mine.toml"
    recipe.write_text('name = "mine"\n[[source]]\ntype = "still3"\npath = "trian.jsonl"\n')
    done = here("data", "build", recipe, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "trian.jsonl" in done.stderr


def test_a_missing_recipe_is_named_with_its_nearest():
    done = here("data", "build", RECIPES / "data" / "gsm8.toml")
    assert (done.returncode, "did you mean gsm8k.toml" in done.stderr) == (2, True)
