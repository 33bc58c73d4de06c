"""The benchmarks: what their files become, from a local copy and from a hub on loopback."""

import ast
import base64
import json
import os
import pickle
import subprocess
import sys
import threading
import zlib
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from reasonrl.data.benchmarks import BENCHMARKS, load_benchmark, load_livecodebench
from reasonrl.data.benchmarks.adapter import BOXED
from reasonrl.data.files import read_rows
from reasonrl.errors import DataError
from reasonrl.types import Kind, Status
from reasonrl.verify import Verifier, VerifyItem

COUNTS = {"aime24": 30, "aime25": 30, "math500": 500, "gsm8k": 1319, "humaneval": 164, "mbpp": 500}


@pytest.mark.parametrize("name", COUNTS)
def test_a_benchmark_is_read_as_it_lies_in_the_data_folder(name, shared_data):
    problems = load_benchmark(name, path=shared_data)
    assert len(problems) == COUNTS[name]
    assert len({problem.id for problem in problems}) == len(problems)
    assert {problem.kind for problem in problems} == {BENCHMARKS[name].kind}


@pytest.mark.parametrize("name", [name for name in COUNTS if BENCHMARKS[name].kind is Kind.MATH])
def test_every_answer_key_accepts_itself_in_a_box(name, shared_data):
    problems = load_benchmark(name, path=shared_data)
    with Verifier() as verifier:
        verdicts = verifier.verify_batch(
            [VerifyItem(task=one.task, response=f"\\boxed{{{one.answer}}}") for one in problems]
        )
    assert {verdict.status for verdict in verdicts} == {Status.CORRECT}


@pytest.mark.parametrize(
    ("name", "style", "is_asked"),
    [
        ("aime24", "report", True), ("aime25", "report", False), ("gsm8k", "report", True),
        ("aime24", "bare", False), ("aime25", "instruction", True), ("math500", "bare", False),
    ],
)  # fmt: skip
def test_the_style_says_who_is_asked_for_a_box(name, style, is_asked, shared_data):
    for problem in load_benchmark(name, path=shared_data, style=style):
        assert problem.prompt[0].content.count(BOXED) == is_asked
        assert problem.prompt[0].content == problem.prompt[0].content.strip()


def test_the_reports_own_prompts_are_kept_to_the_letter(shared_data):
    for name in ("aime24", "aime25"):
        [path] = (shared_data / "aime").glob(f"{name}.parquet")
        rows = [row["prompt"][0]["content"] for _, row in read_rows(path)]
        assert [one.prompt[0].content for one in load_benchmark(name, path=path)] == rows


def test_references_of_humaneval_and_mbpp_pass_through_the_adapters(shared_data):
    """Of HumanEval the function alone: imports and helpers of the prompt are there for it."""
    human = [row for _, row in read_rows(shared_data / "humaneval/HumanEval.jsonl.gz")]
    problems = load_benchmark("humaneval", path=shared_data)
    programs = [
        alone(row["prompt"] + row["canonical_solution"], row["entry_point"]) for row in human
    ]
    rows = [row for _, row in read_rows(shared_data / "mbpp/mbpp.jsonl")]
    tested = [row["code"] for row in rows if 11 <= int(row["task_id"].text) <= 510]
    problems += load_benchmark("mbpp", path=shared_data)[::10]
    programs += tested[::10]
    with Verifier() as verifier:
        verdicts = verifier.verify_batch(
            [
                VerifyItem(task=problem.task, response=f"```python\n{program}\n```")
                for problem, program in zip(problems, programs, strict=True)
            ]
        )
    failed = {
        problem.id: verdict.reason
        for problem, verdict in zip(problems, verdicts, strict=True)
        if verdict.status is not Status.PASS
    }
    assert not failed


def alone(source, name):
    """Return one function's source without what stands around it."""
    tree = ast.parse(source)
    [found] = [node for node in tree.body if getattr(node, "name", "") == name]
    return ast.unparse(found)


def test_another_benchmarks_file_is_refused_with_its_row(shared_data):
    with pytest.raises(DataError, match=r"aime24.parquet:1: no text in answer") as caught:
        load_benchmark("gsm8k", path=shared_data / "aime/aime24.parquet")
    assert "right file" in str(caught.value)


def test_a_directory_without_a_copy_says_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match="no copy of aime24"):
        load_benchmark("aime24", path=tmp_path)
    with pytest.raises(DataError, match="no such file or directory"):
        load_benchmark("aime24", path=tmp_path / "nowhere")


@pytest.mark.parametrize("other", ["here/aime24.jsonl.gz", "copy/aime24.jsonl"])
def test_two_copies_are_not_taken_together(other, tmp_path):
    for name in ("here/aime24.jsonl", other):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="2 copies of aime24"):
        load_benchmark("aime24", path=tmp_path)


def test_a_copy_that_is_not_whole_is_refused_unless_it_is_named(tmp_path):
    path = tmp_path / "aime24.jsonl"
    path.write_text(json.dumps({"problem": "q", "answer": "1"}))
    with pytest.raises(DataError, match="1 problems of aime24"):
        load_benchmark("aime24", path=tmp_path)
    assert len(load_benchmark("aime24", path=path)) == 1


def test_an_id_of_mbpp_that_is_no_number_is_named(tmp_path):
    path = tmp_path / "mbpp.jsonl"
    path.write_text(json.dumps({"task_id": "MBPP/11", "text": "q", "test_list": []}))
    with pytest.raises(DataError, match=r"mbpp.jsonl:1: task_id 'MBPP/11'"):
        load_benchmark("mbpp", path=path)


# LiveCodeBench


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
    assert [one.id.removeprefix("livecodebench-") for one in problems] == ["q1", "q2", "q9"]


def test_the_benchmarks_own_folder_is_found_as_well_as_the_one_around_it(release):
    inside = load_livecodebench(path=release / "livecodebench", **REPORT, release=2)
    assert inside == load_livecodebench(path=release, **REPORT, release=2)


def test_a_release_has_the_files_up_to_its_number(release):
    problems = load_livecodebench(path=release, **REPORT, release=1)
    assert [one.id.removeprefix("livecodebench-") for one in problems] == ["q1", "q2"]


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
                VerifyItem(task=one.task, response=f"```python\n{program}\n```")
                for one, program in cases
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


# the hub

HUB = """
import sys
from pathlib import Path
from reasonrl.data.benchmarks import load_benchmark
from reasonrl.errors import DataError
try:
    print(len(load_benchmark(sys.argv[1])))
except DataError as error:
    sys.exit(str(error))
"""


class Hub(SimpleHTTPRequestHandler):
    """Serve files under the addresses of the hub, with the headers that its client needs."""

    def send_head(self):
        name = self.path.rpartition("/resolve/main/")[2]
        if not (path := self.server.files / name).is_file():
            self.send_error(404)
            return None
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("ETag", '"0123"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        return path.open("rb")

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path):
    """A hub on loopback; the function fetches a benchmark from it in a process of its own."""
    files = tmp_path / "files"
    files.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files = files
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    run = partial(subprocess.run, capture_output=True, text=True, check=False, timeout=60)
    yield (
        files,
        lambda name, **more: run([sys.executable, "-c", HUB, name], env=environment | more),
    )
    server.shutdown()
    server.server_close()


def test_a_benchmark_comes_from_the_hub_and_then_from_its_cache(hub):
    files, fetch = hub
    row = {"problem": "1 + 1?", "answer": "2"}
    (files / "test.jsonl").write_text((json.dumps(row) + "\n") * 30)
    done = fetch("aime25")
    assert (done.returncode, done.stdout.strip()) == (0, "30"), done.stderr
    (files / "test.jsonl").unlink()
    again = fetch("aime25", HF_HUB_OFFLINE="1")
    assert (again.returncode, again.stdout.strip()) == (0, "30"), again.stderr


def test_what_the_hub_does_not_have_is_said_with_a_way_out(hub):
    _, fetch = hub
    done = fetch("aime25")
    assert done.returncode == 1
    assert "cannot fetch aime25 from the hub" in done.stderr
    assert "--data DIR" in done.stderr
