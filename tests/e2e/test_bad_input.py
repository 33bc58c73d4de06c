"""Whatever a user gets wrong: exit code 2, one helpful line, nothing half-written."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.e2e.support import COMMAND, RECIPES
from tests.e2e.support import reasonrl_here as reasonrl

TINY = RECIPES / "tiny.toml"
SHORT = ("--set", "stage.1.steps=2", "--set", "stage.2.steps=1", "--set", "engine.threads=1")


def refused(*arguments):
    """Run, expect a refusal, return its text on one line."""
    done = reasonrl(*arguments)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("rollout.group_sise=4", "nearest is 'rollout.group_size'"),
        ("stage.1.entrpy.target_nats=1", "nearest is 'stage.1.entropy'"),
        ("rollout.group_size=1", "set group_size >= 2"),
        ('rollout.group_size="eight"', "rollout.group_size = 'eight'"),
        ("rollout.temperature=0.0", "greater than 0"),
        ('entropy.mode="adaptive"', "'report'"),
        ("stage.9.steps=3", "a number from 1 to 2"),
        ("seed", "key=value"),
        ("rollout.prompts_per_step=1000", "at most 20"),
        ("rollout.max_prompt_tokens=3", "max_prompt_tokens"),
        ("stage.2.rollout.max_new_tokens=5000", "context of 4096"),
        ('model.name="./nowhere"', "model.name"),
        ('data.sources=[{type="file", path="missing.jsonl"}]', "missing.jsonl"),
        ("data.sources=[]", "data.sources"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_written(override, expected, tmp_path):
    run = tmp_path / "run"
    text = refused("train", TINY, "--run-dir", run, "--set", override)
    assert expected in text
    assert not run.exists()


def test_a_missing_recipe_names_the_nearest(tmp_path):
    assert "tiny.toml" in refused("train", RECIPES / "tinny.toml", "--run-dir", tmp_path / "run")


def test_an_evaluation_recipe_is_not_trained(tmp_path):
    text = refused("train", RECIPES / "eval-or1.toml", "--run-dir", tmp_path / "run")
    assert "trains nothing" in text
    assert "reasonrl eval MODEL --recipe" in text


def test_a_bad_row_is_named_by_file_and_row(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "a", "prompt": "1+1", "answer": "2"}\n{"id": "b", "prompt": "1+1"}\n')
    source = f'data.sources=[{{type="file", path="{rows}"}}]'
    text = refused("train", TINY, "--run-dir", tmp_path / "run", "--set", source)
    assert "rows.jsonl:2" in text
    assert "answer" in text


@pytest.fixture(scope="module")
def model_directory(tmp_path_factory):
    """The tiny model as a directory."""
    from reasonrl.models.hf import load_model

    directory = tmp_path_factory.mktemp("model")
    load_model("tiny").save(directory)
    return directory


def spoiled(model_directory, tmp_path, change):
    copy = tmp_path / "model"
    shutil.copytree(model_directory, copy)
    change(copy)
    return f'model.name="{copy}"'


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('{type="gsm8k"}', "gsm8k is a benchmark, and training on its test half spoils every"),
        ('{type="gsm8k"}', 'set split = "train" or split = "test"'),
        ('{type="aime24"}', 'set split = "test"'),
        ('{type="aime24", split="train"}', "aime24 has no training half"),
        ('{type="gsm8k", split="dev"}', "'train' or 'test'"),
    ],
)
def test_training_on_a_benchmark_is_a_choice(source, said, tmp_path):
    run = ("--run-dir", tmp_path / "run")
    assert said in refused("train", TINY, *SHORT, *run, "--set", f"data.sources=[{source}]")
    assert not (tmp_path / "run").exists()


def test_a_suite_takes_the_test_half(tmp_path):
    suite = 'suite.1.sources=[{type="gsm8k", split="train"}]'
    said = refused("train", TINY, *SHORT, "--run-dir", tmp_path / "run", "--set", suite)
    assert 'an evaluation takes the test half; remove split = "train"' in said


def test_training_on_a_test_half_is_said_and_recorded(tmp_path):
    copy = tmp_path / "gsm8k-test.jsonl"
    rows = [{"question": f"What is {n} + 1?", "answer": f"#### {n + 1}"} for n in range(16)]
    copy.write_text("\n".join(map(json.dumps, rows)))
    source = f'data.sources=[{{type="gsm8k", split="test", path="{copy}"}}]'
    run = tmp_path / "run"
    done = reasonrl("train", TINY, *SHORT, "--run-dir", run, "--set", source)
    assert done.returncode == 0, done.stderr
    assert "training on the TEST half of gsm8k, as asked" in done.stdout
    stage, *_ = json.loads((run / "data.json").read_text())
    assert stage["sources"][0]["split"] == "test"


def test_weights_that_are_not_finite_stop_the_run_with_its_last_good_checkpoint(tmp_path):
    branch = tmp_path / "branch"
    short = (*SHORT, "--set", "checkpoint.every=1", "--set", "checkpoint.keep=9")
    hot = ("--set", "stage.1.update.learning_rate=1e9", "--set", "stage.1.steps=4")
    said = refused("train", TINY, *short, *hot, "--run-dir", tmp_path / "hot")
    assert "step 2: the policy's logits are not finite" in said
    assert "train again, for no checkpoint is older than the last update" in said
    late = ("--set", "stage.2.update.learning_rate=1e9", "--set", "stage.2.steps=4")
    said = refused("train", TINY, *short, *late, "--run-dir", tmp_path / "late")
    # The absurd weights of step 3 are still finite, and step 4 learned from them.
    late_config = tmp_path / "late" / "config.toml"
    assert f"`reasonrl train {late_config} --from {tmp_path / 'late'}@3 --set stage.2.u" in said
    assert "take an earlier step: 1, 2" in said
    assert "continue with" not in said
    done = reasonrl("train", TINY, *SHORT, "--from", f"{tmp_path / 'late'}@2", "--run-dir", branch)
    assert done.returncode == 0, done.stderr
    assert (branch / "start" / "model.safetensors").is_file()


def test_a_branch_begins_with_the_weights_that_it_names(tmp_path):
    from safetensors.torch import load_file

    first, second = tmp_path / "first", tmp_path / "second"
    assert reasonrl("train", TINY, *SHORT, "--run-dir", first).returncode == 0
    done = reasonrl("train", TINY, *SHORT, "--from", first, "--run-dir", second)
    assert done.returncode == 0, done.stderr
    ours = load_file(first / "model" / "model.safetensors")
    theirs = load_file(second / "start" / "model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(bool((ours[name] == theirs[name]).all()) for name in ours)
    shutil.rmtree(first)  # the branch needs nothing of the run that it began from
    assert reasonrl("resume", second).returncode == 0
    assert "no run here" in refused("train", TINY, "--from", tmp_path, "--run-dir", tmp_path / "x")


def test_a_model_without_a_chat_template_is_refused(model_directory, tmp_path):
    model = spoiled(model_directory, tmp_path, lambda copy: (copy / "chat_template.jinja").unlink())
    text = refused("train", TINY, "--run-dir", tmp_path / "run", "--set", model)
    assert "no chat template" in text


def test_a_model_without_an_end_of_sequence_is_refused(model_directory, tmp_path):
    def forget_eos(copy):
        for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
            fields = json.loads((copy / name).read_text())
            for key in ("eos_token", "eos_token_id"):
                fields.pop(key, None)
            (copy / name).write_text(json.dumps(fields))

    model = spoiled(model_directory, tmp_path, forget_eos)
    text = refused("train", TINY, "--run-dir", tmp_path / "run", "--set", model)
    assert "end-of-sequence" in text


def test_a_model_directory_is_trained_like_a_named_model(model_directory, tmp_path):
    done = reasonrl(
        "train", TINY, "--run-dir", tmp_path / "run", *SHORT,
        "--set", f'model.name="{model_directory}"',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture
def stopped(tmp_path):
    """A run with two checkpoints that did not finish."""
    run = tmp_path / "run"
    done = reasonrl("train", TINY, "--run-dir", run, *SHORT, "--set", "checkpoint.every=1")
    assert done.returncode == 0, done.stderr
    (run / "summary.json").unlink()
    return run


def test_a_run_is_not_started_over_another(stopped):
    assert f"reasonrl resume {stopped}" in refused("train", TINY, "--run-dir", stopped)


def test_a_corrupt_checkpoint_is_refused_and_the_one_before_still_works(stopped):
    newest = stopped / "checkpoints" / "step-000003"
    with (newest / "engine.safetensors").open("r+b") as file:
        file.seek(-5, os.SEEK_END)
        file.write(b"!")
    assert f"delete {newest}" in refused("resume", stopped)
    shutil.rmtree(newest)
    assert reasonrl("resume", stopped).returncode == 0


def test_a_torn_state_file_is_refused(stopped):
    path = stopped / "checkpoints" / "step-000003" / "state.json"
    path.write_text(path.read_text()[:40])
    assert "cannot be read" in refused("resume", stopped)


def test_resume_of_no_run_is_refused(tmp_path):
    assert "no run here" in refused("resume", tmp_path)


def test_two_processes_do_not_share_a_run(stopped):
    import fcntl

    with (stopped / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process" in refused("resume", stopped)


def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_space(tmp_path):
    """A file size limit stands in for the disk: the same failure at the same calls."""
    run = tmp_path / "run"
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from reasonrl.cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "train", str(TINY), "--run-dir", str(run), *SHORT],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "checkpoint" in done.stderr
    assert f"reasonrl resume {run}" in done.stderr
    assert not list((run / "checkpoints").iterdir())
    assert reasonrl("resume", run).returncode == 0


def test_help_and_show_config_load_nothing_heavy():
    code = (
        "import sys; sys.argv = ['reasonrl', *sys.argv[1:]]\n"
        "from reasonrl.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'ray', 'vllm', 'sympy', 'transformers'} & sys.modules.keys()\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    for arguments in (["--help"], ["train", "--help"], ["show-config", str(TINY)]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, reasonrl, reasonrl.recipe\n"
        "sys.exit(len({'torch', 'ray', 'vllm', 'sympy', 'transformers'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_show_config_prints_a_recipe_that_reads_back_equal(tmp_path):
    from reasonrl.recipe.toml import dump_recipe, load_recipe

    recipe = load_recipe(TINY, ["seed=7"])
    copy = tmp_path / "copy.toml"
    copy.write_text(dump_recipe(recipe))
    assert load_recipe(copy) == recipe


def test_show_config_prints_an_evaluation_recipe_too(tmp_path):
    from reasonrl.recipe.toml import load_eval_recipe

    done = reasonrl("show-config", RECIPES / "eval-or1.toml")
    assert done.returncode == 0, done.stderr
    (tmp_path / "copy.toml").write_text(done.stdout)
    assert load_eval_recipe(tmp_path / "copy.toml") == load_eval_recipe(RECIPES / "eval-or1.toml")


def test_the_command_is_installed():
    assert subprocess.run([*COMMAND, "--help"], capture_output=True, check=False).returncode == 0


FOREIGN = (
    "Input should",
    "validation error",
    "valid list",
    "pydantic",
    "Possible options",
    "click",
)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("rollout.group_size=abc", "rollout.group_size = 'abc'; expected a whole number"),
        ("rollout.group_size=2.5", "expected a whole number"),
        ("update.learning_rate=fast", "expected a number"),
        ("update.learning_rate=nan", "update.learning_rate"),
        ("verify.unboxed=7", "expected true or false"),
        ("name=3", "name = 3; expected a text in quotes"),
        ("name=a/b", "expected letters, digits, dashes"),
        ("model=3", "model = 3; expected a table"),
        ("stage=[]", "expected a list of at least 1"),
        ("entropy.mode=foo", "expected one of 'none', 'fixed'"),
        ("rollout.temperature=0", "expected a number greater than 0"),
        ("optimizer.beta1=2", "expected a number less than 1"),
        ('data.sources=[{type="hubb"}]', "data.sources.1.type = 'hubb'; expected one of 'file'"),
        ("data.sources=[{}]", "expected a key `type`"),
        ("data.sources=3", "expected a list"),
        ('data.sources=[{type="gym"}]', "data.sources.1.task is missing"),
        ('reward=[{type="judge", url="x", model="m", rubric="r"}]', "http:// or https://"),
        ('reward=[{type="function", function="x"}]', "expected FILE.py:NAME"),
        ("update.advantage=x", '"group" or "rloo"'),
    ],
)
def test_a_wrong_value_is_told_in_our_own_words(override, expected):
    text = refused("show-config", TINY, "--set", override)
    assert expected in text
    assert not any(word in text for word in FOREIGN)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trian", "tiny"], "no command 'trian'; did you mean train?; see `reasonrl -h`"),
        (["train", "tiny", "--form", "x"], "no option --form; did you mean --from?"),
        (["train", "tiny", "--resume"], "no option --resume; see"),
        (["train"], "RECIPE is missing"),
        (["train", "tiny", "more"], "too many arguments: more"),
        (["eval", "tiny", "--k", "two"], "--k = 'two'; expected a whole number"),
        (["data", "chek"], "no command 'chek'; did you mean check?"),
    ],
)
def test_a_wrong_command_line_is_told_in_our_own_words(words, expected):
    text = refused(*words)
    assert expected in text
    assert not any(word in text for word in FOREIGN)


def test_a_recipe_of_another_command_says_which():
    data = RECIPES / "data" / "gsm8k.toml"
    assert "reasonrl data build" in refused("train", data)
    assert "reasonrl data build" in refused("eval", "tiny", "--recipe", data)
    assert "reasonrl train RECIPE" in refused("data", "build", TINY)
    assert "reasonrl eval MODEL" in refused("data", "build", RECIPES / "eval-or1.toml")


def test_a_device_that_is_not_there_is_named(tmp_path):
    for device in ("cuda:99", "tpu"):
        text = refused(
            "train", TINY, "--run-dir", tmp_path / "r", "--set", f"engine.device={device}"
        )
        assert f"no device '{device}' here; expected \"cpu\"" in text
    assert not (tmp_path / "r").exists()


def test_a_file_is_no_directory_for_a_run(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "is a file; name a directory" in refused("train", TINY, "--run-dir", tmp_path / "file")


def test_wandb_without_a_key_is_said_before_anything_is_made(tmp_path, monkeypatch):
    from reasonrl.run import trackers

    monkeypatch.setattr(trackers, "find_spec", lambda _name: object())
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    run = tmp_path / "run"
    text = refused("train", TINY, "--run-dir", run, "--set", 'trackers=["wandb"]')
    assert "wandb has no key" in text
    assert "WANDB_MODE=offline" in text
    assert not run.exists()


def test_a_dry_run_checks_everything_and_writes_nothing(tmp_path):
    run = tmp_path / "run"
    done = reasonrl("train", TINY, "--run-dir", run, "--dry-run", *SHORT)
    assert done.returncode == 0
    for said in (
        "stage short: 20 problems",
        "disk: up to",
        "the first prompt:",
        "nothing was written",
    ):
        assert said in done.stdout
    assert not run.exists()
    assert "hint" not in refused("train", TINY, "--dry-run", "--set", "model.name=./nowhere")
