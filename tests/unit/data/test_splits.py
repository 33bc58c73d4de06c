"""Folders of several splits: never read as a whole without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasonrl.data.benchmarks import TRAINING_HALVES, load_benchmark
from reasonrl.data.splits import of_one_split, split_named
from reasonrl.errors import DataError
from reasonrl.recipe import CodeBenchmark, LiveCodeBench, MathBenchmark


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.jsonl", "train"), ("main/train-00000-of-00001.parquet", "train"),
        ("gsm8k_test.jsonl", "test"), ("test", "test"), ("data/validation-0.parquet", "validation"),
        ("train/test.jsonl", "test"), ("trained.jsonl", ""), ("contest.jsonl", ""),
        ("attest-1.json", ""), ("rows.jsonl", ""), ("DEV.json", "dev"),
    ],
)  # fmt: skip
def test_the_split_that_a_name_speaks_of(name: str, split: str) -> None:
    assert split_named(name) == split


def files(folder: Path, *names: str) -> list[Path]:
    return [folder / name for name in names]


def test_a_folder_of_one_split_is_read_whole(tmp_path: Path) -> None:
    shards = files(tmp_path, "train-0.parquet", "train-1.parquet")
    assert of_one_split(shards, tmp_path, None) == shards
    assert of_one_split(shards, tmp_path, "train") == shards
    unnamed = files(tmp_path, "a.jsonl", "b.jsonl")
    assert of_one_split(unnamed, tmp_path, None) == unnamed


def test_a_folder_of_several_splits_lists_them(tmp_path: Path) -> None:
    both = files(tmp_path, "test.jsonl", "train.jsonl")
    with pytest.raises(DataError) as caught:
        of_one_split(both, tmp_path, None)
    assert "several splits (test: test.jsonl; train: train.jsonl)" in str(caught.value)
    assert 'set split = "test" or "train"' in str(caught.value)
    assert of_one_split(both, tmp_path, "train") == [tmp_path / "train.jsonl"]


def test_a_split_that_no_file_is_named_like_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds test: test\.jsonl"):
        of_one_split(files(tmp_path, "test.jsonl"), tmp_path, "train")


def test_the_halves_of_the_recipe_are_those_that_can_be_loaded() -> None:
    declared = [
        name
        for kind in (MathBenchmark, CodeBenchmark, LiveCodeBench)
        for name in kind.training_halves
    ]
    assert sorted(declared) == sorted(TRAINING_HALVES)


@pytest.mark.parametrize(("name", "size"), [("gsm8k", 7473), ("mbpp", 374)])
def test_a_training_half_shares_no_problem_with_the_test_half(
    shared_data: Path, name: str, size: int
) -> None:
    train = load_benchmark(name, path=shared_data, split="train")
    test = load_benchmark(name, path=shared_data)
    assert len(train) == size
    assert not {p.id for p in train} & {p.id for p in test}
    assert not {p.prompt for p in train} & {p.prompt for p in test}


def test_a_file_that_is_named_like_the_other_half_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    path.write_text('{"question": "?", "answer": "#### 1"}\n')
    with pytest.raises(DataError, match='named like the test half, and split = "train"'):
        load_benchmark("gsm8k", path=path, split="train")
    assert len(load_benchmark("gsm8k", path=path)) == 1
