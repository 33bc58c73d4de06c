"""Where a run's entropy sits: measured from its rollout files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reasonrl.report.run.profile import class_of, read_profile
from reasonrl.report.run.profile_panels import exchange_text, profile_charts

WORDS = {1: "7", 2: "wait", 3: "\u0120then", 4: "+"}


def write(directory: Path, step: int, *rollouts: tuple[list[int], list[float], float, str]) -> None:
    columns = ("tokens", "logprobs", "reward", "stop")
    rows = [dict(zip(columns, one, strict=True)) for one in rollouts]
    (directory / "rollouts").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), directory / "rollouts" / f"step-{step:06d}.parquet")


@pytest.mark.parametrize(
    ("word", "expected"),
    [("7", "numbers"), ("\u012012", "numbers"), ("Wait", "reflection"), ("\u2581hmm", "reflection"),
     ("apple", "other words"), ("\u0120apple", "other words"), ("+", "symbols"), ("", "symbols")],
)  # fmt: skip
def test_tokens_are_told_apart_by_how_they_are_written(word: str, expected: str) -> None:
    assert class_of(word) == expected


def test_golden_of_a_profile(tmp_path: Path) -> None:
    write(
        tmp_path, 1,
        ([1, 2], [-0.25, -0.75], 1.0, "stop"),
        ([3, 4], [-1.0, -2.0], 0.0, "stop"),
        ([1, 1], [-4.0, -4.0], 0.0, "length"),
    )  # fmt: skip
    write(tmp_path, 2, ([1] * 10, [-0.5] * 5 + [-1.0] * 5, 1.0, "stop"))
    found = read_profile(tmp_path, WORDS.__getitem__)
    assert found is not None
    assert found.steps == (1, 2)
    assert found.by_verdict == {
        "right": (0.5, 0.75), "wrong": (1.5, None), "truncated": (4.0, None)
    }  # fmt: skip
    assert found.by_class["numbers"] == (pytest.approx(8.25 / 3), 0.75)
    assert found.by_class["reflection"] == (0.75, None)
    assert found.by_place[2] == (0.5,) * 5 + (1.0,) * 5
    assert [chart.title for chart in profile_charts(found)] == [
        "Entropy by verdict", "Entropy by kind of token", "Entropy by place",
    ]  # fmt: skip


def test_a_run_without_rollouts_has_no_profile(tmp_path: Path) -> None:
    assert read_profile(tmp_path, WORDS.__getitem__) is None


def test_what_entropy_may_still_pay_for_is_told_where_the_fit_is_good_and_only_there() -> None:
    rows = [
        {"step": step, "entropy/nats": 0.4 * 0.97**step, "accuracy/all": 1 - 0.4 * 0.97**step}
        for step in range(1, 101)
    ]
    assert "about 99% of the answers" in exchange_text(rows)
    noise = [row | {"accuracy/all": 0.3 + 0.3 * (row["step"] % 2)} for row in rows]
    assert exchange_text(noise) == ""
    falling = [row | {"accuracy/all": row["entropy/nats"]} for row in rows]
    assert exchange_text(falling) == ""
    assert exchange_text([{"step": 1, "entropy/nats": None, "accuracy/all": 0.5}]) == ""
