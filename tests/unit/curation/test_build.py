"""A whole build: counts that add up, files that train, and the same end whenever it is cut off."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from reasonrl.curation import resume
from reasonrl.curation.build import run_build
from reasonrl.curation.manifest import read_manifest
from reasonrl.curation.recipe import DataRecipe
from reasonrl.curation.resume import Build
from reasonrl.curation.rows import read_dropped
from reasonrl.curation.store import StepFolder, finished_steps
from reasonrl.data.problems import load_problems
from reasonrl.errors import CheckpointError, ConfigError, DataError
from reasonrl.launch.meter import open_meter
from reasonrl.recipe.toml import parse
from reasonrl.terminal import Console
from tests.e2e.support import REPOSITORY
from tests.unit.curation.support import AIME, STORY

STEPS = ("read", "clean", "answers", "dedup", "decontaminate")
LEET = {
    "task_id": "t", "query": "Return x plus one for any integer x that is given to the function.",
    "entry_point": "f", "prompt": "", "meta": {"difficulty": "Easy"},
    "test": "def check(c):\n    assert c(1) == 2", "completion": "def f(x):\n    return x + 1",
}  # fmt: skip


def math_rows():
    for n in range(40):
        thing = "".join(chr(97 + (7 * n + 3 * i) % 26) for i in range(4 + n // 26))
        yield {"problem": f"A {thing} weighs {n + 3} kg. How heavy are {n + 2} such {thing}s?",
               "answer": str((n + 3) * (n + 2)),
               "solution": f"So \\boxed{{{(n + 3) * (n + 2)}}}."}  # fmt: skip
    yield {"problem": STORY, "answer": "72", "solution": "\\boxed{72}"}
    yield {"problem": STORY.upper(), "answer": "72"}
    yield {"problem": AIME, "answer": "501", "solution": "\\boxed{501}"}
    yield {"problem": "What is the sum of two and three?", "answer": "6", "solution": "\\boxed{5}"}
    yield {"problem": "Prove that 2 > 1.", "answer": "2"}
    yield "broken"


@pytest.fixture
def raw(tmp_path):
    """Two sources and a protected file below one directory."""
    directory = tmp_path / "raw"
    directory.mkdir()
    lines = [row if isinstance(row, str) else json.dumps(row) for row in math_rows()]
    (directory / "math.jsonl").write_text("\n".join(lines))
    wrong = LEET | {
        "completion": "def f(x):\n    return x",
        "query": "Something else entirely, at length.",
    }
    (directory / "code.jsonl").write_text("\n".join(map(json.dumps, [LEET, wrong])))
    protected = {"id": "p", "prompt": AIME, "answer": "501"}
    (directory / "protected.jsonl").write_text(json.dumps(protected))
    return directory


def recipe_of(raw, **tables):
    data = {
        "name": "mine",
        "workers": 1,
        "source": [
            {"type": "deepscaler", "path": str(raw / "math.jsonl")},
            {"type": "leetcode", "path": str(raw / "code.jsonl")},
        ],
        "protected": [{"type": "file", "path": str(raw / "protected.jsonl")}],
    }
    return parse(DataRecipe, data | tables, where="recipe")


@contextmanager
def no_phase(_name, _total):
    yield lambda _n: None


def run(recipe, directory):
    directory.mkdir(exist_ok=True)
    return run_build(
        Build(
            recipe=recipe,
            directory=directory,
            phase=no_phase,
            note=lambda _text: None,
            open_meter=lambda config: open_meter(config, directory, Console(), seed=recipe.seed),
        )
    )


def reasons(directory):
    found = {}
    for folder, report in finished_steps(directory):
        for key in report.chunks:
            for row in read_dropped(folder.dropped(key)):
                found.setdefault((report.counts.name, row.fault.reason.value), []).append(row)
    return found


def test_every_row_is_kept_or_dropped_with_its_reason_in_every_step(raw, tmp_path):
    run(recipe_of(raw), tmp_path / "out")
    counts = {key: len(rows) for key, rows in reasons(tmp_path / "out").items()}
    assert counts == {
        ("read", "broken"): 1,
        ("clean", "proof"): 1,
        ("answers", "solution-disagrees"): 1,
        ("answers", "reference-fails"): 1,
        ("dedup", "duplicate"): 1,
        ("decontaminate", "contaminated"): 1,
    }
    steps = [report.counts for _, report in finished_steps(tmp_path / "out")]
    assert [report.name for report in steps] == list(STEPS)
    before = len(list(math_rows())) + 2
    for report in steps:
        assert report.n_kept + report.n_dropped == before
        before = report.n_kept


def test_a_hit_names_the_problem_it_is_like(raw, tmp_path):
    run(recipe_of(raw), tmp_path / "out")
    found = reasons(tmp_path / "out")
    (duplicate,) = found["dedup", "duplicate"]
    assert duplicate.fault.other == "train-math-deepscaler-40"
    (hit,) = found["decontaminate", "contaminated"]
    assert (hit.fault.other, hit.fault.detail) == ("p", "same words")


def test_the_published_files_are_problems_to_train_on(raw, tmp_path):
    manifest = run(recipe_of(raw), tmp_path / "out")
    assert [(file.file, file.rows) for file in manifest.files] == [
        ("code-train.parquet", 1),
        ("math-train.parquet", 41),
    ]
    (code,) = load_problems(tmp_path / "out" / "data" / "code-train.parquet")
    assert json.loads(code.answer)["entry_point"] == "f"
    problems = load_problems(tmp_path / "out" / "data" / "math-train.parquet")
    assert problems[0].answer == '["6"]'
    assert len({problem.id for problem in problems}) == 41


def test_splits_and_factors_hold_on_to_their_rows(raw, tmp_path):
    publish = {"validation": 0.3, "mix": {"train-math-deepscaler": 2.5}}
    manifest = run(recipe_of(raw, publish=publish), tmp_path / "out")
    rows = {file.file: file.rows for file in manifest.files}
    held = pq.read_table(tmp_path / "out" / "data" / "math-validation.parquet").to_pylist()
    train = pq.read_table(tmp_path / "out" / "data" / "math-train.parquet").to_pylist()
    uids = [row["extra_info"]["uid"] for row in train]
    assert not {row["extra_info"]["uid"] for row in held} & set(uids)
    assert {uids.count(uid) for uid in uids} == {2, 3}
    assert 3 <= rows["math-validation.parquet"] <= 22
    assert len(load_problems(tmp_path / "out" / "data" / "math-train.parquet")) == len(train)


def test_files_of_an_earlier_recipe_do_not_stay(raw, tmp_path):
    run(recipe_of(raw, publish={"validation": 0.3}), tmp_path / "out")
    run(recipe_of(raw), tmp_path / "out")
    names = {path.name for path in (tmp_path / "out" / "data").iterdir()}
    assert names == {"code-train.parquet", "math-train.parquet"}


@pytest.mark.slow
def test_two_builds_have_one_hash_and_workers_do_not_matter(raw, tmp_path):
    one = run(recipe_of(raw), tmp_path / "one")
    two = run(recipe_of(raw, workers=2), tmp_path / "two")
    assert one.hash == two.hash
    assert one.hash != run(recipe_of(raw, seed=1), tmp_path / "three").hash


def test_a_finished_build_is_not_made_again(raw, tmp_path):
    first = run(recipe_of(raw), tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "steps").rglob("*.json")}
    assert run(recipe_of(raw), tmp_path / "out") == first
    assert times == {
        path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "steps").rglob("*.json")
    }


def test_only_the_steps_after_a_change_are_made_again(raw, tmp_path):
    run(recipe_of(raw), tmp_path / "out")
    before = {name: made_at(tmp_path / "out", name) for name in STEPS}
    run(recipe_of(raw, dedup={"near": 0.9}), tmp_path / "out")
    after = {name: made_at(tmp_path / "out", name) for name in STEPS}
    changed = {name for name in STEPS if before[name] != after[name]}
    assert changed == {"dedup"}  # it keeps the same rows, so what follows stays


def made_at(directory, name):
    (path,) = directory.glob(f"steps/*-{name}/done.json")
    return path.stat().st_mtime_ns


def test_changed_source_files_are_read_again(raw, tmp_path):
    first = run(recipe_of(raw), tmp_path / "out")
    with (raw / "math.jsonl").open("a") as file:
        file.write('\n{"problem": "How many legs have 8 spiders?", "answer": "64"}')
    second = run(recipe_of(raw), tmp_path / "out")
    assert second.files[1].rows == first.files[1].rows + 1


@pytest.mark.slow
@pytest.mark.parametrize("cut", range(1, 14))
def test_a_build_cut_off_at_any_chunk_ends_alike(raw, tmp_path, monkeypatch, cut):
    """Stop dead at the n-th chunk, with its files half written, and go on."""
    whole = run(recipe_of(raw), tmp_path / "whole")
    real, count = StepFolder.finish_chunk, 0

    def finish(self, key, kept, dropped, notes=None):
        nonlocal count
        count += 1
        if count == cut:
            self.kept(key).write_bytes(b"torn")
            raise KeyboardInterrupt
        return real(self, key, kept, dropped, notes)

    monkeypatch.setattr(StepFolder, "finish_chunk", finish)
    try:
        run(recipe_of(raw), tmp_path / "cut")
        assert count < cut
    except KeyboardInterrupt:
        pass
    monkeypatch.undo()
    assert run(recipe_of(raw), tmp_path / "cut").hash == whole.hash


def test_a_folder_that_a_kill_half_deleted_is_made_anew(raw, tmp_path):
    expected = run(recipe_of(raw, clean={"max_chars": 120}), tmp_path / "fresh")
    run(recipe_of(raw), tmp_path / "out")
    folder = tmp_path / "out" / "steps" / "2-clean"
    (folder / "begun.json").unlink()
    (folder / "done.json").unlink()
    again = run(recipe_of(raw, clean={"max_chars": 120}), tmp_path / "out")
    assert again.hash == expected.hash


def test_a_source_put_before_others_moves_no_rows(raw, tmp_path, monkeypatch):
    """A chunk's key is part of what it holds: the same rows under another key are another input."""
    recipe = recipe_of(raw)
    (raw / "none.jsonl").write_text("")
    empty = {"type": "still3", "path": str(raw / "none.jsonl")}
    sources = json.loads(recipe.model_dump_json())["source"]
    run(recipe, tmp_path / "out")
    changed = recipe_of(raw, source=[empty, *sources])
    assert run(changed, tmp_path / "out").hash == run(changed, tmp_path / "fresh").hash


def test_steps_that_a_recipe_no_longer_has_leave_no_trace(raw, tmp_path):
    tiny = {"model": "tiny", "max_new_tokens": 4, "math_rollouts": 1, "code_rollouts": 1,
            "engine": {"threads": 1}}  # fmt: skip
    run(recipe_of(raw, difficulty=tiny), tmp_path / "out")
    assert run(recipe_of(raw), tmp_path / "out").hash == run(recipe_of(raw), tmp_path / "new").hash


def test_a_manifest_that_was_edited_is_refused(raw, tmp_path):
    run(recipe_of(raw), tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 41', '"rows": 42'))
    with pytest.raises(CheckpointError, match="changed after the build"):
        read_manifest(tmp_path / "out")


def test_other_tests_of_one_program_are_no_contradiction(raw, tmp_path):
    other = LEET | {"test": "def check(c):\n    assert c(2) == 3"}
    (raw / "code.jsonl").write_text("\n".join(map(json.dumps, [LEET, other])))
    run(recipe_of(raw), tmp_path / "out")
    found = reasons(tmp_path / "out")
    assert len(found["dedup", "duplicate"]) == 2
    assert ("dedup", "answers-conflict") not in found


@pytest.mark.slow
def test_workers_end_with_the_process_that_has_them(tmp_path):
    script = (
        "import time\nfrom reasonrl.curation.workers import run_all\n"
        "from tests.unit.curation.test_build import sleep_and_tell\n"
        "if __name__ == '__main__':\n"
        f"    run_all(sleep_and_tell, [{str(tmp_path)!r}] * 2, workers=2, count=print)\n"
    )
    path = tmp_path / "main.py"
    path.write_text(script)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen([sys.executable, path], env=environment, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(told := list(tmp_path.glob("pid-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.kill()
    process.wait()
    pids = [int(one.name.removeprefix("pid-")) for one in told]
    assert len(pids) == 2
    while any(map(psutil.pid_exists, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(psutil.pid_exists, pids))


def sleep_and_tell(directory):
    Path(directory, f"pid-{os.getpid()}").touch()
    time.sleep(120)


def test_a_report_that_no_build_wrote_is_named(raw, tmp_path):
    run(recipe_of(raw), tmp_path / "out")
    path = tmp_path / "out" / "steps" / "2-clean" / "done.json"
    path.write_text("{}")
    with pytest.raises(CheckpointError, match="2-clean"):
        run(recipe_of(raw), tmp_path / "out")


def test_a_step_of_other_code_is_made_again(raw, tmp_path, monkeypatch):
    run(recipe_of(raw), tmp_path / "out")
    before = made_at(tmp_path / "out", "clean")
    monkeypatch.setitem(resume.VERSIONS, "clean", 99)
    run(recipe_of(raw), tmp_path / "out")
    assert made_at(tmp_path / "out", "clean") != before


@pytest.mark.parametrize("how", ["truncated", "emptied", "deleted", "exchanged"])
@pytest.mark.parametrize(
    "name",
    [
        "1-read/kept/00-00000.parquet", "4-dedup/kept/00-00000.parquet",
        "4-dedup/fingerprints/00-00000.npz", "5-decontaminate/kept/00-00000.parquet",
        "5-decontaminate/dropped/00-00000.parquet",
    ],
)  # fmt: skip
def test_a_damaged_file_is_named_or_harms_nothing(raw, tmp_path, name, how):
    """Its step begins again with the rest as it was: an error that names it, or the same end."""
    whole, path = run(recipe_of(raw), tmp_path / "out"), tmp_path / "out" / "steps" / name
    following = sorted((tmp_path / "out" / "steps").iterdir())
    for folder in following[int(name[0]) :]:
        shutil.rmtree(folder)
    if "fingerprints" in name:
        for done in ("done.json", "reports/00-00000.json"):
            (path.parents[1] / done).unlink()
    if how == "exchanged":
        other = path.parents[1] / "kept" / "01-00000.parquet"
        path.write_bytes(other.read_bytes())
    elif how == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 100 if how == "truncated" else 0])
    said = ""
    try:
        run(recipe_of(raw), tmp_path / "out")
    except CheckpointError as error:
        said = str(error)
        shutil.rmtree(path.parents[1])
    assert not said or (name.split("/")[0] in said and "delete" in said)
    assert run(recipe_of(raw), tmp_path / "out").hash == whole.hash


@pytest.mark.parametrize("text", ['{"x": 1}', "\x00\x00", '{"problem": "", "answer": "1"}'])
def test_a_source_of_which_nothing_can_be_used_is_an_error(raw, tmp_path, text):
    (raw / "math.jsonl").write_text(text)
    with pytest.raises(DataError, match="no row of train-math-deepscaler can be used"):
        run(recipe_of(raw), tmp_path / "out")


def test_counts_that_were_edited_are_counted_anew(raw, tmp_path):
    whole, steps = run(recipe_of(raw), tmp_path / "out"), tmp_path / "out" / "steps"
    path = steps / "2-clean" / "done.json"
    path.write_text(path.read_text().replace('"proof": 1', '"proof": 999'))
    (steps / "3-answers" / "reports" / "00-00000.json").unlink()
    assert run(recipe_of(raw), tmp_path / "out").hash == whole.hash
    assert "999" not in path.read_text()


def test_sources_without_a_row_are_an_error(raw, tmp_path):
    for name in ("math.jsonl", "code.jsonl"):
        (raw / name).write_text("")
    with pytest.raises(DataError, match="no rows in any source"):
        run(recipe_of(raw), tmp_path / "out")


def test_an_unknown_source_in_the_mix_is_an_error_before_the_work(raw, tmp_path):
    with pytest.raises(ConfigError, match=r"publish\.mix names nobody"):
        run(recipe_of(raw, publish={"mix": {"nobody": 2.0}}), tmp_path / "out")
    assert not (tmp_path / "out" / "steps" / "2-clean").exists()


def test_a_file_that_cannot_be_the_benchmark_is_refused_before_the_work(raw, tmp_path):
    (raw / "aime.jsonl").write_text(json.dumps({"id": 1, "problem": AIME, "answer": "501"}))
    protected = [{"type": "aime24", "path": str(raw / "aime.jsonl")}]
    with pytest.raises(DataError, match="the 30 of aime24"):
        run(recipe_of(raw, protected=protected), tmp_path / "out")
    assert not (tmp_path / "out" / "steps").exists()


def test_ids_are_unique_over_all_published_files(raw, tmp_path):
    publish = {"validation": 0.5, "mix": {"train-math-deepscaler": 3.0}}
    manifest = run(recipe_of(raw, publish=publish), tmp_path / "out")
    paths = [tmp_path / "out" / "data" / file.file for file in manifest.files]
    ids = [problem.id for path in paths for problem in load_problems(path)]
    assert len(set(ids)) == len(ids) > 42


SCRIPT = """
import sys
from pathlib import Path
sys.argv = ["reasonrl", "data", "build", sys.argv[1], "--out", sys.argv[2]]
from reasonrl.cli.app import main
main()
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_and_ends_alike(raw, tmp_path):
    """SIGKILL in the middle, workers and all, until it gets through."""
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'name = "mine"\nworkers = 2\n'
        f'[[source]]\ntype = "deepscaler"\npath = "{raw / "math.jsonl"}"\n'
        f'[[source]]\ntype = "leetcode"\npath = "{raw / "code.jsonl"}"\n'
        f'[[protected]]\ntype = "file"\npath = "{raw / "protected.jsonl"}"\n'
    )
    out, delay = tmp_path / "out", 1.0
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(recipe), str(out)], start_new_session=True
        )
        try:
            assert process.wait(timeout=delay) == 0
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            time.sleep(0.1)
            delay += 2.0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["hash"] == run(recipe_of(raw), tmp_path / "whole").hash
    assert not list(Path(out).rglob(".*.writing"))
    shutil.rmtree(out)
