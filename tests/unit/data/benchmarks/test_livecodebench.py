"""LiveCodeBench: its window of dates, its releases, and tests that are never unpickled."""

import base64
import json
import pickle
import zlib
from datetime import date

import pytest

from reasonrl.data.benchmarks import load_livecodebench
from reasonrl.errors import DataError
from reasonrl.verify import Verifier, VerifyItem


def packed(tests):
    """Pack tests as the release files do."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def contest_row(number, day, **changes):
    row = {
        "question_id": f"q{number}",
        "question_content": "Print the sum of two numbers.",
        "contest_date": f"{day}T00:00:00",
        "starter_code": "",
        "public_test_cases": json.dumps([{"input": "1 2", "output": "3", "testtype": "stdin"}]),
        "private_test_cases": packed([{"input": "5 7", "output": "12", "testtype": "stdin"}]),
        "metadata": "{}",
    }
    return row | changes


FUNCTION = contest_row(
    9, "2024-10-01", starter_code="class Solution:\n    def add(self, a: int, b: int) -> int:\n",
    public_test_cases=json.dumps([{"input": "1\n2", "output": "3", "testtype": "functional"}]),
    private_test_cases=packed([{"input": "5\n7", "output": "12", "testtype": "functional"}]),
    metadata=json.dumps({"func_name": "add"}),
)  # fmt: skip
DAYS = ("2024-07-31", "2024-08-01", "2025-01-31", "2025-02-01")


@pytest.fixture
def release(tmp_path):
    """A folder of two release files."""
    folder = tmp_path / "livecodebench"
    folder.mkdir()
    rows = [contest_row(number, day) for number, day in enumerate(DAYS)]
    (folder / "test.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (folder / "test2.jsonl").write_text(json.dumps(FUNCTION))
    return tmp_path


REPORT = {"since": date(2024, 8, 1), "until": date(2025, 2, 1)}


def test_the_window_takes_its_first_day_and_leaves_its_last(release):
    problems = load_livecodebench(path=release, **REPORT, release=2)
    assert [problem.id.removeprefix("livecodebench-") for problem in problems] == ["q1", "q2", "q9"]


def test_the_benchmarks_own_folder_is_found_as_well_as_the_one_around_it(release):
    inside = load_livecodebench(path=release / "livecodebench", **REPORT, release=2)
    assert inside == load_livecodebench(path=release, **REPORT, release=2)


def test_a_release_has_the_files_up_to_its_number(release):
    problems = load_livecodebench(path=release, **REPORT, release=1)
    assert [problem.id.removeprefix("livecodebench-") for problem in problems] == ["q1", "q2"]


def test_a_release_without_one_of_its_files_is_refused(release):
    with pytest.raises(DataError, match=r"release 3 of livecodebench without test3.jsonl"):
        load_livecodebench(path=release, **REPORT, release=3)


@pytest.mark.parametrize("metadata", ["not json", "[1]", "{"])
def test_metadata_that_cannot_be_read_is_named(metadata, tmp_path):
    path = tmp_path / "livecodebench.jsonl"
    path.write_text(json.dumps(contest_row(1, "2024-09-01", metadata=metadata)))
    with pytest.raises(DataError, match=r"livecodebench.jsonl:1: unreadable metadata"):
        load_livecodebench(path=path, **REPORT, release=6)


def test_public_and_private_tests_judge_scripts_and_methods(release):
    *_, script, method = load_livecodebench(path=release, **REPORT, release=2)
    assert "class Solution" in method.prompt[0].content
    right = "print(sum(map(int, input().split())))"
    public_only = "print({'1 2': 3}.get(input(), 0))"
    start = "class Solution:\n    def add(self, a, b):\n        return "
    cases = [
        (script, right),
        (script, public_only),
        (method, start + "a + b"),
        (method, start + "3"),
    ]
    with Verifier() as verifier:
        verdicts = verifier.verify_batch(
            [
                VerifyItem(task=problem.task, response=f"```python\n{program}\n```")
                for problem, program in cases
            ]
        )
    assert [verdict.reward for verdict in verdicts] == [1.0, 0.0, 1.0, 0.0]


class Hostile:
    """A pickle of this writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("kind", ["reduce", "two strings", "number", "cut"])
def test_a_pickle_of_more_than_a_string_is_refused_and_never_run(kind, tmp_path):
    mark = tmp_path / "mark"
    raw = pickle.dumps(
        {"reduce": Hostile(str(mark)), "two strings": ["[]", "[]"], "number": 7, "cut": "[]"}[kind]
    )
    raw = raw[:4] if kind == "cut" else raw
    text = base64.b64encode(zlib.compress(raw)).decode()
    path = tmp_path / "livecodebench.jsonl"
    path.write_text(json.dumps(contest_row(1, "2024-09-01", private_test_cases=text)))
    with pytest.raises(DataError, match=r"livecodebench.jsonl:1: unreadable tests"):
        load_livecodebench(path=path, **REPORT, release=6)
    assert not mark.exists()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("reasonrl.data.benchmarks.livecodebench._MAX_BYTES", 1 << 20)
    text = base64.b64encode(zlib.compress(bytes(8 << 20))).decode()
    path = tmp_path / "livecodebench.jsonl"
    path.write_text(json.dumps(contest_row(1, "2024-09-01", private_test_cases=text)))
    with pytest.raises(DataError, match="more than 1 MB"):
        load_livecodebench(path=path, **REPORT, release=6)
