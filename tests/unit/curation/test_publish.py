"""The published files: splits that stay, factors that hold on average, and whole files or none."""

import json

import pyarrow.parquet as pq
import pytest

from reasonrl.curation.publish import check_mix, publish
from reasonrl.curation.recipe import PublishConfig
from reasonrl.curation.store import StepFolder
from reasonrl.errors import CheckpointError, ConfigError
from tests.unit.curation.support import candidate

N = 400


def problems(n=N, source="s"):
    return [
        candidate(uid=f"{source}-{i}", source=source, problem=f"What is {i}?") for i in range(n)
    ]


def published(tmp_path, *chunks, seed=0, **config):
    """Publish chunks of rows, and return the rows of each file."""
    folder = StepFolder(tmp_path / "1-read")
    folder.begin("x")
    keys = [folder.finish_chunk(f"{n:02d}", rows, []).key for n, rows in enumerate(chunks)]
    publish(folder, keys, tmp_path / "data", PublishConfig(**config), seed=seed)
    return {path.stem: pq.read_table(path).to_pylist() for path in (tmp_path / "data").iterdir()}


def uids(rows):
    return [row["extra_info"]["uid"] for row in rows]


def test_a_row_stays_in_its_split_when_other_rows_come(tmp_path):
    few = published(tmp_path / "few", problems(100), validation=0.3)
    many = published(
        tmp_path / "many", problems(50, "t"), problems(300)[::-1], validation=0.3
    )  # fmt: skip
    assert set(uids(few["math-validation"])) <= set(uids(many["math-validation"]))
    assert set(uids(few["math-train"])) <= set(uids(many["math-train"]))


def test_another_seed_makes_another_split(tmp_path):
    splits = [
        uids(published(tmp_path / str(seed), problems(), validation=0.5, seed=seed)["math-train"])
        for seed in (0, 1)
    ]
    assert splits[0] != splits[1]


def test_the_share_held_out_is_that_of_the_recipe(tmp_path):
    """400 draws of 0.3 are 120 with a standard deviation of 9.2; four of them allowed."""
    files = published(tmp_path, problems(), validation=0.3)
    assert 83 <= len(files["math-validation"]) <= 157
    assert len(files["math-validation"]) + len(files["math-train"]) == N


@pytest.mark.parametrize(
    ("factor", "times", "rows"),
    [
        (1, {1}, (N, N)),
        (2, {2}, (2 * N, 2 * N)),
        (0.25, {1}, (65, 135)),  # 100 on average, standard deviation 8.7; four of them allowed
        (1.5, {1, 2}, (560, 640)),  # 600 on average, standard deviation 10
    ],
)
def test_a_factor_repeats_or_thins_the_rows_of_its_source(tmp_path, factor, times, rows):
    train = published(tmp_path, problems(), mix={"s": factor})["math-train"]
    listed = uids(train)
    assert {listed.count(uid) for uid in set(listed)} == times
    assert rows[0] <= len(train) <= rows[1]


def test_a_factor_of_zero_leaves_a_source_out_and_repeats_nothing_held_out(tmp_path):
    files = published(
        tmp_path, problems(), problems(source="t"), mix={"s": 0, "t": 3}, validation=0.5
    )
    assert {row["data_source"] for row in files["math-train"]} == {"t"}
    held = uids(files["math-validation"])
    assert len(held) == len(set(held))


def test_an_index_is_unique_over_all_files(tmp_path):
    code = [candidate(uid="c-0", kind="code", problem="f", answer='{"inputs": [], "outputs": []}')]
    files = published(tmp_path, problems(30), code, problems(30, "t"), validation=0.5)
    indices = [row["extra_info"]["index"] for rows in files.values() for row in rows]
    assert len(files) == 3
    assert sorted(indices) == list(range(61))


def test_a_row_has_the_schema_of_the_release(tmp_path):
    rated = candidate(uid="s-0", answer="1/2", difficulty=json.dumps({"m": 3}))
    other = candidate(uid="s-1", problem="?", difficulty=json.dumps({"k": 16}))
    first, second = published(tmp_path, [rated, other])["math-train"]
    assert first == {
        "data_source": "s",
        "prompt": [{"content": "What is 1 + 1?", "role": "user"}],
        "ability": "math",
        "reward_model": {"ground_truth": '["1/2"]', "style": "rule"},
        "extra_info": {"index": 0, "model_difficulty": {"k": None, "m": 3}, "uid": "s-0"},
    }
    assert second["extra_info"]["model_difficulty"] == {"k": 16, "m": None}


def test_a_chunk_that_cannot_be_read_leaves_no_new_file(tmp_path):
    published(tmp_path, problems(10))
    before = (tmp_path / "data" / "math-train.parquet").read_bytes()
    folder = StepFolder(tmp_path / "1-read")
    folder.finish_chunk("01", problems(5, "t"), [])
    folder.kept("01").write_bytes(folder.kept("00").read_bytes())
    with pytest.raises(CheckpointError, match="was changed"):
        publish(folder, ["00", "01"], tmp_path / "data", PublishConfig(), seed=0)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["math-train.parquet"]
    assert (tmp_path / "data" / "math-train.parquet").read_bytes() == before


def test_a_mix_of_an_unknown_source_names_the_known_sources():
    with pytest.raises(ConfigError, match=r"publish\.mix names u.*expected one of s, t"):
        check_mix(PublishConfig(mix={"u": 1}), {"t", "s"})
