"""`reasonrl eval` as a user runs it: whole, killed, compared, refused."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reasonrl.evaluation.journal import FileJournal, Identity
from reasonrl.evaluation.score import describe
from reasonrl.evaluation.suite import Draft
from reasonrl.types import StopReason
from tests.e2e.support import COMMAND, RECIPES, reasonrl
from tests.e2e.support import reasonrl_here as here

TINY = RECIPES / "tiny.toml"
ONE_THREAD = ("--set", "engine.threads=1")
pytestmark = pytest.mark.xdist_group("eval")  # the run is made once


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of the tiny recipe with a checkpoint at half.

    Seed 3: its gain over 20 problems is plain (8.9 to 31.3 points). Seed 1 ends with 5 problems
    always right and 15 never, of which no interval says more than that it touches 0.
    """
    directory = tmp_path_factory.mktemp("run") / "run"
    done = here(
        "train", TINY, "--run-dir", directory, *ONE_THREAD,
        "--set", "seed=3", "--set", "suite.1.every=20", "--set", "checkpoint.keep=9",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    """A file of twelve sums, some of which the run's model gets right now and then."""
    path = tmp_path_factory.mktemp("problems") / "sums.jsonl"
    questions = [(f"What is {n % 4} + {n // 4}? Answer with just the number.", n % 4 + n // 4)
                 for n in range(11)]  # fmt: skip
    questions.append(("<script>alert(1)</script>", 0))
    rows = [
        {"id": f"p{n}", "prompt": text, "answer": str(answer)}
        for n, (text, answer) in enumerate(questions)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture(scope="module")
def asked(run, problems):
    """The arguments of an evaluation that takes a moment: 12 problems, 40 samples each."""
    limits = ("--k", "40", "--max-new-tokens", "40", "--temperature", "1.4", "--unboxed")
    return ("eval", run, "--suite", problems, *limits, *ONE_THREAD, "--set", "engine.max_rows=4")


@pytest.fixture(scope="module")
def whole(asked, tmp_path_factory):
    """The evaluation, uninterrupted."""
    directory = tmp_path_factory.mktemp("whole") / "eval"
    done = here(*asked, "--out", directory)
    assert done.returncode == 0, done.stderr
    return directory


def drafts_of(directory):
    """Return the text of the journal's drafts, as far as there is one."""
    found = list(directory.glob("journal/*/sums/drafts.jsonl"))
    return found[0].read_text() if found else ""


def samples_of(directory):
    [path] = (directory / "samples").glob("*/*.parquet")
    return pq.read_table(path).drop_columns(["verify_wall_s"]).to_pylist()


def assert_same_samples(directory, other):
    """Equal samples; the log-probabilities of another batch are rounded otherwise."""
    mine, yours = samples_of(directory), samples_of(other)
    assert [one.pop("logprob") for one in mine] == pytest.approx(
        [one.pop("logprob") for one in yours], abs=1e-3
    )
    assert mine == yours


def results_of(directory):
    return json.loads((directory / "results.json").read_text())


def test_every_sample_is_kept_once_with_its_verdict(whole):
    rows = samples_of(whole)
    keys = [(row["problem_id"], row["index"]) for row in rows]
    assert keys == [(f"p{n}", index) for n in range(12) for index in range(40)]
    for row in rows:
        assert row["n_tokens"] == len(row["tokens"]) <= 40
        assert (row["status"] == "TRUNCATED") == (row["stop"] == "length")
        assert row["reward"] == float(row["status"] == "CORRECT")


def test_results_are_those_of_the_samples(whole):
    [model] = results_of(whole)["models"]
    [suite] = model["suites"]
    rows = samples_of(whole)
    assert suite["accuracy"]["value"] == pytest.approx(sum(r["reward"] for r in rows) / len(rows))
    assert 0 < suite["accuracy"]["value"] < 1
    assert sum(suite["statuses"].values()) == len(rows)
    low, high = suite["accuracy"]["ci95"]
    assert low < suite["accuracy"]["value"] < high
    assert list(suite["pass_at"]) == ["1", "2", "4", "8", "16", "32", "40"]


def test_the_page_is_one_file_without_scripts_and_shows_what_was_sampled(whole):
    page = (whole / "report.html").read_text()
    assert "<script" not in page
    assert "src=" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "CORRECT" in page
    assert page.count("<svg") == 3


@pytest.mark.parametrize("kills", [(1,), (150,), (30, 200, 400)])
def test_killed_and_started_again_no_sample_is_lost_or_sampled_twice(kills, asked, whole, tmp_path):
    directory = tmp_path / "eval"
    kept = ""
    for count in kills:
        with subprocess.Popen(
            [*COMMAND, *map(str, asked), "--out", str(directory)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        ) as process:  # fmt: skip
            while drafts_of(directory).count("\n") < count:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.001)
            os.killpg(process.pid, signal.SIGKILL)
        text = drafts_of(directory)
        text = text[: text.rfind("\n") + 1]
        assert text.startswith(kept)  # what was sampled stays, and is not sampled again
        kept = text
        lines = [json.loads(line) for line in text.splitlines()]
        assert len({(one["problem_id"], one["index"]) for one in lines}) == len(lines)
    assert not (directory / "results.json").exists()
    done = here(*asked, "--out", directory)
    assert done.returncode == 0, done.stderr
    assert f"continuing with {len(lines)} of 480 samples" in done.stdout
    assert_same_samples(directory, whole)
    assert results_of(directory) == results_of(whole)
    assert not drafts_of(directory)


def test_ctrl_c_says_that_the_same_command_goes_on(asked, tmp_path):
    directory = tmp_path / "eval"
    with subprocess.Popen(
        [*COMMAND, *map(str, asked), "--out", str(directory)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        while drafts_of(directory).count("\n") < 5:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "rerun the same command" in out
    assert "Traceback" not in err


def test_a_finished_evaluation_is_only_shown(asked, whole):
    before = (whole / "results.json").read_bytes()
    done = here(*asked, "--out", whole)
    assert done.returncode == 0
    assert "has been evaluated" in done.stdout
    assert (whole / "results.json").read_bytes() == before


def test_another_question_does_not_go_into_the_same_directory(asked, whole):
    done = here(*asked, "--out", whole, "--temperature", "0.5")
    assert done.returncode == 2
    assert "suite.1.temperature = 0.5, there 1.4" in " ".join(done.stderr.split())


def test_threads_and_batches_are_not_part_of_the_question(asked, whole):
    done = here(*asked, "--out", whole, "--set", "engine.max_rows=7")
    assert done.returncode == 0, done.stderr


def test_other_weights_under_the_same_name_are_noticed(run, problems, tmp_path):
    import shutil

    from reasonrl.models.hf import load_model

    model = tmp_path / "model"
    shutil.copytree(run / "model", model)
    ask = ("eval", model, "--suite", problems, "--k", "1", "--max-new-tokens", "4", *ONE_THREAD)
    assert here(*ask, "--out", tmp_path / "eval").returncode == 0
    load_model("tiny", seed=5).save(model)
    done = here(*ask, "--out", tmp_path / "eval")
    assert done.returncode == 2
    assert "other weights" in done.stderr


def test_changed_problems_under_the_same_name_are_noticed(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"id": 1, "prompt": "1+1", "answer": 2}\n')
    ask = ("eval", "tiny", "--suite", path, "--k", "1", "--max-new-tokens", "4", *ONE_THREAD)
    assert here(*ask, "--out", tmp_path / "eval").returncode == 0
    path.write_text('{"id": 1, "prompt": "1+1", "answer": 3}\n')
    done = here(*ask, "--out", tmp_path / "eval")
    assert done.returncode == 2
    assert "mine.parquet: the suite has other problems" in " ".join(done.stderr.split())


def test_problems_changed_under_an_unfinished_suite_are_noticed(tmp_path):
    path = tmp_path / "sums.jsonl"
    rows = [{"id": n, "prompt": f"{n}+1", "answer": n + 1} for n in range(8)]
    path.write_text("\n".join(map(json.dumps, rows)))
    ask = ("eval", "tiny", "--suite", path, "--k", "1", "--max-new-tokens", "4", *ONE_THREAD)
    assert here(*ask, "--out", tmp_path / "eval").returncode == 0
    [samples] = (tmp_path / "eval" / "samples").glob("*/*.parquet")
    journal = FileJournal(tmp_path / "eval/journal/tiny/sums", identity_of(samples))
    journal.add_draft(("0", 0), Draft(tokens=np.array([1]), logprob=-1.0, stop=StopReason.STOP))
    journal.close()
    samples.unlink()
    path.write_text(path.read_text().replace('"7+1"', '"7+2"'))
    done = here(*ask, "--out", tmp_path / "eval")
    assert done.returncode == 2
    assert "journal/tiny/sums: the suite has other problems" in " ".join(done.stderr.split())


def identity_of(samples):
    metadata = pq.read_schema(samples).metadata
    return Identity(**{key.decode(): value.decode() for key, value in metadata.items()})


def test_results_are_made_again_from_the_samples(asked, whole, tmp_path):
    import shutil

    copy = tmp_path / "eval"
    shutil.copytree(whole, copy)
    (copy / "results.json").unlink()
    done = here(*asked, "--out", copy)
    assert done.returncode == 0, done.stderr
    assert "has been evaluated" in done.stdout
    assert results_of(copy) == results_of(whole)
    assert_same_samples(copy, whole)


@pytest.mark.parametrize("spoil", [b"", b"PAR1 and no more", None])
def test_samples_that_no_evaluation_wrote_are_refused(spoil, asked, whole, tmp_path):
    import shutil

    copy = tmp_path / "eval"
    shutil.copytree(whole, copy)
    [path] = (copy / "samples").glob("*/*.parquet")
    if spoil is None:  # another table, with no identity
        pq.write_table(pa.table({"problem_id": ["p0"]}), path)
    else:
        path.write_bytes(spoil)
    done = here(*asked, "--out", copy)
    assert done.returncode == 2
    assert "not the samples of an evaluation" in " ".join(done.stderr.split())


def test_the_same_problems_elsewhere_are_gone_on_with(asked, whole, problems, tmp_path):
    moved = tmp_path / "sums.jsonl"
    moved.write_text(problems.read_text())
    ask = [moved if one == problems else one for one in asked]
    done = here(*ask, "--out", whole)
    assert done.returncode == 0, done.stderr
    assert "has been evaluated" in done.stdout


def test_what_does_not_fit_one_of_two_models_is_found_before_sampling(run, problems, tmp_path):
    import shutil

    small = tmp_path / "small"
    shutil.copytree(run / "model", small)
    config = json.loads((small / "config.json").read_text())
    (small / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 128}))
    ask = ("eval", small, "--compare", run, "--suite", problems, "--k", "1", *ONE_THREAD)
    done = here(*ask, "--max-new-tokens", "1000", "--out", tmp_path / "a")
    assert done.returncode == 2
    assert "context of 128" in " ".join(done.stderr.split())
    assert not (tmp_path / "a" / "journal").exists()
    done = here(*ask, "--limit", "2", "--out", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert f"the context of {small}, 128; evaluating with up to" in done.stdout
    again = here(*ask, "--limit", "2", "--out", tmp_path / "b")
    assert "new tokens, as" in again.stdout


def test_a_name_with_brackets_is_printed_as_it_is(run, problems, tmp_path):
    import shutil

    model = tmp_path / "[red]x[/]"
    shutil.copytree(run / "model", model)
    ask = ("--suite", problems, "--k", "1", "--max-new-tokens", "2", *ONE_THREAD)
    done = here("eval", model, *ask, "--out", tmp_path / "eval")
    assert done.returncode == 0, done.stderr
    assert "[red]x[/]" in done.stdout


def test_two_models_are_compared_in_pairs_with_a_plain_verdict(run, tmp_path):
    ask = ("eval", run, "--compare", "tiny", "--k", "16", *ONE_THREAD)
    done = here(*ask, "--out", tmp_path / "eval")
    assert done.returncode == 0, done.stderr
    results = results_of(tmp_path / "eval")
    [comparison] = results["comparisons"]
    assert comparison["gain"]["is_shown"]
    assert comparison["gain"]["value"] > 0
    assert comparison["verdict"].startswith("gain ")
    assert comparison["verdict"] in done.stdout
    assert comparison["verdict"] in (tmp_path / "eval" / "report.html").read_text()


def test_a_model_is_not_compared_with_itself(run, tmp_path):
    done = here("eval", run, "--compare", run, "--out", tmp_path / "eval")
    assert done.returncode == 2
    assert "with itself" in done.stderr


def test_offline_and_in_training_the_same_evaluation_has_the_same_result(run, tmp_path):
    """Of the final model and of a checkpoint: same samples, same numbers."""
    lines = (run / "evaluations.jsonl").read_text().splitlines()
    in_training = [json.loads(line) for line in lines]
    for model, step in ((run, 40), (run / "checkpoints" / "step-000020", 20)):
        out = tmp_path / str(step)
        done = here("eval", model, "--out", out, *ONE_THREAD)
        assert done.returncode == 0, done.stderr
        [offline] = results_of(out)["models"][0]["suites"]
        [online] = [one for one in in_training if one["step"] == step]
        assert {**offline, "step": step} == online


def test_of_a_run_that_is_not_finished_the_newest_checkpoint_is_named(run, problems, tmp_path):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "summary.json").unlink()
    shutil.rmtree(copy / "model")
    ask = ("--suite", problems, "--k", "1", "--max-new-tokens", "4", *ONE_THREAD)
    done = here("eval", copy, *ask, "--out", tmp_path / "eval")
    assert done.returncode == 0, done.stderr
    [model] = results_of(tmp_path / "eval")["models"]
    assert model["name"] == str(copy / "checkpoints" / "step-000040")
    done = here("eval", copy / "checkpoints" / "step-20", *ask, "--out", tmp_path / "eval")
    assert done.returncode == 0, done.stderr
    names = [one["name"] for one in results_of(tmp_path / "eval")["models"]]
    assert names[1] == str(copy / "checkpoints" / "step-000020")
    page = (tmp_path / "eval" / "report.html").read_text()
    assert all(name in page for name in names)
    done = here("eval", copy / "checkpoints" / "step-7", *ask)
    assert done.returncode == 2
    assert "no such checkpoint; expected one of step-000010" in " ".join(done.stderr.split())


def test_results_do_not_go_into_a_run_or_another_folder(run, problems, tmp_path):
    (tmp_path / "notes.txt").touch()
    before = (run / "report.html").read_bytes()
    for out in (run, tmp_path):
        done = here("eval", "tiny", "--suite", problems, "--k", "1", "--out", out)
        assert done.returncode == 2
        assert "files, but no evaluation" in " ".join(done.stderr.split())
    assert (run / "report.html").read_bytes() == before
    for out in (tmp_path / "notes.txt", "/proc/nowhere"):
        done = here("eval", "tiny", "--suite", problems, "--k", "1", "--out", out)
        assert done.returncode == 2
        assert "cannot be made" in done.stderr


def test_a_run_without_any_model_yet_is_refused(run, tmp_path):
    (tmp_path / "config.toml").write_text((run / "config.toml").read_text())
    done = here("eval", tmp_path)
    assert done.returncode == 2
    assert "neither a final model nor a checkpoint" in " ".join(done.stderr.split())


def test_both_aimes_run_from_end_to_end(shared_data, tmp_path):
    done = here(
        "eval", "tiny", "--suite", "aime24", "--suite", "aime25", "--data", shared_data,
        "--k", "2", "--max-new-tokens", "24", "--out", tmp_path / "eval", "--table", *ONE_THREAD,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = results_of(tmp_path / "eval")
    for suite in results["models"][0]["suites"]:
        assert suite["n_problems"] == 30
        assert sum(suite["statuses"].values()) == 60
        assert suite["failed"] == 0
    assert "Skywork-OR1-32B" in done.stdout
    assert "tiny (k=2, temperature 1, 24 tokens)" in done.stdout
    again = here("eval", "--table", "--out", tmp_path / "eval")
    assert "tiny (k=2" in again.stdout


def test_without_a_limit_completions_may_fill_the_context(shared_data, tmp_path):
    done = here(
        "eval", "tiny", "--suite", "aime25", "--data", shared_data, "--k", "1", "--limit", "2",
        "--out", tmp_path / "eval", *ONE_THREAD,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "32768 new tokens do not fit the context of tiny, 4096" in done.stdout
    recipe = (tmp_path / "eval" / "recipe.toml").read_text()
    assert "max_new_tokens = 3" in recipe


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("tiny", "--suite", "aime2025"), "did you mean aime25"),
        (("tiny", "--suite", "missing.jsonl"), "no such file"),
        (("tiny", "--suite", "gsm8k", "--data", "/nowhere"), "no such file or directory"),
        (("tiny", "--suite", "gsm8k", "--k", "0"), "k = 0"),
        (("tiny", "--suite", "gsm8k", "--max-new-tokens", "0"), "max_new_tokens = 0"),
        (("tiny",), "no suite to evaluate on"),
        (("--suite", "gsm8k"), "no MODEL to evaluate"),
        (("./no-model", "--suite", "PROBLEMS", "--k", "1"), "./no-model: no such directory"),
        (("tiny", "--suite", "PROBLEMS", "--max-new-tokens", "5000"), "context of 4096"),
        (("--table", "--out", "/nowhere"), "no results here"),
        (("tiny", "--recipe", "tinny.toml"), "no such recipe"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(arguments, expected, problems, tmp_path):
    given = [problems if one == "PROBLEMS" else one for one in arguments]
    out = () if "--out" in arguments else ("--out", tmp_path / "eval")
    done = here("eval", *given, *out, *ONE_THREAD)
    assert done.returncode == 2, done.stdout
    assert expected in " ".join(done.stderr.split())
    assert not list(tmp_path.glob("eval/*.json"))


def test_a_row_that_is_wrong_is_named(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"id": 1, "prompt": "1+1", "answer": 2}\n{"id": 2, "promt": "x"}\n')
    done = here("eval", "tiny", "--suite", path)
    assert done.returncode == 2
    assert "bad.jsonl:2" in done.stderr


def test_a_model_that_never_ends_is_refused(run, problems, tmp_path):
    import shutil

    model = tmp_path / "model"
    shutil.copytree(run / "model", model)
    for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
        fields = json.loads((model / name).read_text())
        for key in ("eos_token", "eos_token_id"):
            fields.pop(key, None)
        (model / name).write_text(json.dumps(fields))
    done = here("eval", model, "--suite", problems, "--out", tmp_path / "eval")
    assert done.returncode == 2
    assert "end-of-sequence" in done.stderr


def test_help_names_the_options():
    done = reasonrl("eval", "--help")
    assert done.returncode == 0
    for option in ("--suite", "--compare", "--limit", "--table"):
        assert option in done.stdout


def test_the_line_of_a_training_evaluation_has_pass_and_consensus(run):
    from reasonrl.run.record import RunRecorder

    assert " pass@8=" in describe(RunRecorder(run).evaluations()[-1])


def test_a_full_disk_is_said_and_the_evaluation_goes_on_when_there_is_space(asked, whole, tmp_path):
    """A file size limit stands in for the disk: the same failure at the same calls."""
    directory = tmp_path / "eval"
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from reasonrl.cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, asked), "--out", str(directory)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "could not write a sample down" in done.stderr
    assert "rerun the same command" in done.stderr
    assert here(*asked, "--out", directory).returncode == 0
    assert_same_samples(directory, whole)
