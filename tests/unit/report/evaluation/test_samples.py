"""Samples read back from the files of an evaluation."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reasonrl.report.evaluation.samples import Length, read_suite_samples


def write(path: Path, *rows: tuple[str, int, float | None, str]) -> Path:
    table = [
        {
            "problem_id": name,
            "index": index,
            "prompt": f"prompt of {name}",
            "text": f"text {index}",
            "answer": "7",
            "n_tokens": 5 + index,
            "stop": stop,
            "reward": reward,
            "status": "CORRECT",
            "reason": "",
            "extracted": "7",
            "tests": ["PASS"],
        }
        for name, index, reward, stop in rows
    ]
    pq.write_table(pa.Table.from_pylist(table), path)
    return path


def test_a_problem_shows_a_right_and_another_sample_of_each_model(tmp_path: Path) -> None:
    base = write(
        tmp_path / "base.parquet",
        ("p", 0, 0.0, "stop"),
        ("p", 1, 1.0, "stop"),
        ("p", 2, 1.0, "stop"),
        ("p", 3, None, "length"),
    )
    new = write(tmp_path / "new.parquet", ("p", 0, 1.0, "stop"))
    [shown] = read_suite_samples({"base": base, "new": new}).problems
    assert (shown.id, shown.prompt, shown.answer) == ("p", "prompt of p", "7")
    seen = [(sample.model, sample.index, sample.tests) for sample in shown.samples]
    assert seen == [("base", 1, ("PASS",)), ("base", 0, ("PASS",)), ("new", 0, ("PASS",))]


def test_lengths_are_of_all_samples(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", ("p", 0, 0.0, "stop"), ("q", 1, None, "length"))
    lengths = read_suite_samples({"m": path, "gone": tmp_path / "gone.parquet"}).lengths
    assert lengths == {"m": [Length(5, True, 0.0), Length(6, False, None)]}


def test_the_shown_problems_are_bounded_and_spread_over_the_suite(tmp_path: Path) -> None:
    rows = [(f"p{number:03}", 0, 1.0, "stop") for number in range(200)]
    shown = read_suite_samples({"m": write(tmp_path / "m.parquet", *rows)}).problems
    assert len(shown) == 40
    assert [one.id for one in shown[:3]] == ["p000", "p005", "p010"]
