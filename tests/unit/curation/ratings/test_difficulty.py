"""Difficulty: what is sampled, when a problem's fate is certain, what is kept and written down."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from reasonrl.algo.stats import share_of
from reasonrl.curation.ratings.difficulty import (
    WHOLE,
    Tally,
    attempts_directory,
    fault_of,
    is_certain,
    keep_weights,
    measure,
    open_attempts,
    rollouts,
    with_difficulty,
)
from reasonrl.curation.recipe import DifficultyConfig
from reasonrl.curation.rows import Reason, read_kept
from reasonrl.errors import CheckpointError, ConfigError
from reasonrl.launch.curate import write_card
from reasonrl.launch.meter import ModelMeter
from reasonrl.report.data.bars import failure_bars
from tests.unit.curation.support import candidate
from tests.unit.curation.test_build import no_phase, raw, reasons, recipe_of, run

__all__ = ["raw"]  # the fixture
CONFIG = DifficultyConfig(model="m")


class Scripted:
    """A meter whose problems are right at given places of their samples."""

    def __init__(self, right, weights="w"):
        self.right = right
        self.weights = weights
        self.asked = []

    def sample(self, rows, k, workplace):
        self.asked.append({row.uid: n for row, n in zip(rows, k, strict=True)})
        return [
            "".join(str(int(place in self.right[row.uid])) for place in range(n))
            for row, n in zip(rows, k, strict=True)
        ]


def measured(rows, settings, meter, directory):
    with open_attempts(directory) as known:
        return measure(rows, settings, meter, known, directory)


def problems(*names):
    return [candidate(f"What is {name}?", uid=name) for name in names]


def test_sampling_goes_on_only_while_it_can_change_a_fate(tmp_path):
    rows = problems("mixed", "late", "never", "always")
    meter = Scripted({"mixed": {1}, "late": {6}, "never": set(), "always": set(range(16))})
    tallies = measured(rows, CONFIG, meter, tmp_path)
    assert meter.asked == [
        dict.fromkeys(("mixed", "late", "never", "always"), 4),
        dict.fromkeys(("late", "never", "always"), 8),
        dict.fromkeys(("never", "always"), 16),
    ]
    faults = [fault_of(tally, 16, CONFIG) for tally in tallies]
    assert [fault and fault.reason for fault in faults] == [
        None, None, Reason.TOO_HARD, Reason.TOO_EASY,
    ]  # fmt: skip


def test_without_early_every_problem_gets_all_samples(tmp_path):
    config = CONFIG.model_copy(update={"early": False})
    rows = [candidate(uid="a"), candidate(uid="b", kind="code")]
    meter = Scripted({"a": {0}, "b": {0}})
    measured(rows, config, meter, tmp_path)
    assert meter.asked == [{"a": 16, "b": 8}]


@pytest.mark.parametrize(
    ("n", "lowest", "highest"), [(8, 1, 15), (16, 1, 15), (8, 4, 12), (6, 0, 16)]
)
def test_certain_means_that_no_further_sample_changes_the_verdict(n, lowest, highest):
    """Against enumeration: every end that the rest of the samples could bring."""
    config = CONFIG.model_copy(update={"lowest": lowest, "highest": highest})
    for judged in range(n + 1):
        for right in range(judged + 1):
            ends = {
                fault_of(Tally(right=right + more, judged=n), n, config) is None
                for more in range(n - judged + 1)
            }
            reasons_of = {
                fault and fault.reason
                for more in range(n - judged + 1)
                if (fault := fault_of(Tally(right=right + more, judged=n), n, config)) or True
            }
            certain = is_certain(Tally(right=right, judged=judged), n, config)
            assert certain == (len(reasons_of) == 1), (judged, right, ends, reasons_of)


def test_the_spread_has_a_bar_as_high_as_its_count():
    drawn = failure_bars({0: 10, 3: 5, 16: 1})
    heights = [float(one) for one in re.findall(r'<rect[^>]* height="([0-9.]+)"', drawn)]
    assert len(heights) == WHOLE + 1
    assert heights[0] == 2 * heights[3] == 10 * heights[16] > 0
    assert sum(heights) == heights[0] + heights[3] + heights[16]


def test_programs_have_half_the_samples():
    assert rollouts(candidate(kind="code"), CONFIG) == 8
    assert fault_of(Tally(right=7, judged=8), 8, CONFIG) is None
    assert fault_of(Tally(right=8, judged=8), 8, CONFIG).reason is Reason.TOO_EASY


@pytest.mark.parametrize(
    ("right", "judged", "failures"),
    [(0, 16, 16), (16, 16, 0), (1, 16, 15), (3, 4, 4), (1, 8, 14), (99, 100, 1), (1, 100, 15)],
)
def test_difficulty_is_failures_of_16_in_the_released_direction(right, judged, failures):
    row = with_difficulty(
        candidate(difficulty='{"other": 3}'), Tally(right=right, judged=judged), CONFIG
    )
    assert json.loads(row.difficulty) == {"m": failures, "other": 3}
    assert json.loads(row.rollouts) == {"m": [right, judged]}


def test_what_could_not_be_judged_is_no_failure_of_the_model():
    fault = fault_of(Tally(right=0, judged=2, failed=14), 16, CONFIG)
    assert fault.reason is Reason.NOT_JUDGED
    assert fault_of(Tally(right=1, judged=10, failed=6), 16, CONFIG) is None
    assert with_difficulty(candidate(), Tally(failed=16), CONFIG).difficulty == ""


SETTINGS = [
    CONFIG.model_copy(update=update)
    for update in (
        {}, {"early": False}, {"math_rollouts": 6}, {"lowest": 4, "highest": 12},
        {"lowest": 0, "highest": 16}, {"lowest": 2, "early": False, "math_rollouts": 12},
    )
]  # fmt: skip


@pytest.mark.parametrize("before", SETTINGS)
@pytest.mark.parametrize("now", SETTINGS)
def test_what_was_measured_before_costs_nothing_and_changes_nothing(before, now, tmp_path):
    """A build's end depends on its recipe alone, whatever other thresholds were tried first."""
    right = {"mixed": {1, 9}, "late": {6}, "never": set(), "always": set(range(16))}
    rows = problems(*right)
    fresh = measured(rows, now, Scripted(right), tmp_path / "fresh")
    first, second = Scripted(right), Scripted(right)
    measured(rows, before, first, tmp_path / "kept")
    assert measured(rows, now, second, tmp_path / "kept") == fresh
    most = {name: max(round_.get(name, 0) for round_ in first.asked) for name in right}
    assert all(n > most[name] for round_ in second.asked for name, n in round_.items())
    again = Scripted(right)
    assert measured(rows, now, again, tmp_path / "kept") == fresh
    assert again.asked == []


def test_attempts_are_kept_apart_by_all_that_made_them():
    update = {"temperature": 0.5}, {"max_new_tokens": 7}, {"system_prompt": "s"}
    configs = [CONFIG, *(CONFIG.model_copy(update=one) for one in update)]
    asked = [(config, "w", 0) for config in configs] + [(CONFIG, "x", 0), (CONFIG, "w", 1)]
    assert len({attempts_directory(Path(), *one) for one in asked}) == len(asked)
    same = CONFIG.model_copy(update={"lowest": 3, "early": False, "math_rollouts": 4})
    assert attempts_directory(Path(), same, "w", 0) == attempts_directory(Path(), CONFIG, "w", 0)


def test_a_file_of_attempts_that_nobody_wrote_is_named(tmp_path):
    (tmp_path / "attempts.jsonl").write_text('{"problem": "a", "outcomes": "12"}\n')
    with pytest.raises(CheckpointError, match=r"attempts\.jsonl:1"):
        open_attempts(tmp_path)


@pytest.mark.parametrize("right", [0, 1, 8, 16])
def test_a_pass_rate_has_an_interval_that_holds_it(right):
    found = share_of(right, 16)
    low, high = found.ci95
    assert low <= found.value == right / 16 <= high
    assert 0 < high - low < 0.6


TINY = {"model": "tiny", "max_new_tokens": 8, "math_rollouts": 4, "code_rollouts": 4,
        "engine": {"threads": 1}}  # fmt: skip


def test_a_model_that_knows_nothing_finds_everything_too_hard(raw, tmp_path):
    manifest = run(recipe_of(raw, difficulty=TINY), tmp_path / "out")
    found = reasons(tmp_path / "out")
    assert {reason for step, reason in found if step == "difficulty"} == {"too-hard"}
    assert manifest.files == ()
    assert manifest.steps[-1].notes == {"samples": 42 * 4}


def test_thresholds_that_change_sample_nothing_anew(raw, tmp_path, monkeypatch):
    run(recipe_of(raw, difficulty=TINY), tmp_path / "out")

    def sample(*_arguments):
        raise AssertionError("sampled again")

    monkeypatch.setattr(ModelMeter, "sample", sample)
    manifest = run(recipe_of(raw, difficulty=TINY | {"highest": 16}), tmp_path / "out")
    assert manifest.steps[-1].n_kept == 42


def test_difficulty_is_published(raw, tmp_path):
    run(recipe_of(raw, difficulty=TINY | {"highest": 16, "name": "t"}), tmp_path / "out")
    (path,) = (tmp_path / "out" / "steps" / "6-difficulty" / "kept").glob("00-*.parquet")
    assert {row.difficulty for row in read_kept(path)} == {'{"t": 16}'}
    from reasonrl.data.problems import load_problems

    problems = load_problems(tmp_path / "out" / "data" / "math-train.parquet")
    assert problems[0].difficulty == {"t": 16}
    write_card(tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "t solved 0 of 42 always, 42 never, 0 sometimes" in card
    assert "Failures of t in 16 attempts" in (tmp_path / "out" / "card.html").read_text()


def test_an_answer_longer_than_the_context_is_an_error_before_any_work(raw, tmp_path):
    with pytest.raises(ConfigError, match="context of tiny"):
        run(recipe_of(raw, difficulty=TINY | {"max_new_tokens": 10**6}), tmp_path / "out")


def test_a_problem_that_left_with_a_failure_of_the_verifier_stays_as_it_is(make_engine, tmp_path):
    """A journal holds more problems than a later round asks for."""
    from reasonrl.evaluation.suite import Draft, MemoryJournal, sample_and_judge
    from reasonrl.rollout.problems import EncodedProblem
    from reasonrl.types import Problem, Sampling, Status, StopReason, Verdict

    journal, tokens = MemoryJournal(), np.array([1], dtype=np.int32)
    failed = Verdict(reward=None, status=Status.TIMEOUT)
    for name in ("left", "asked"):
        journal.add_draft((name, 0), Draft(tokens=tokens, logprob=0.0, stop=StopReason.STOP))
    journal.add_verdicts({("left", 0): failed})
    asked = EncodedProblem(problem=Problem(id="asked", prompt=(), answer="1"), tokens=tokens)
    engine = make_engine()
    sample_and_judge(
        "x", engine, engine.model.tokenizer,
        lambda answers: [Verdict(reward=1.0, status=Status.CORRECT) for _ in answers],
        [asked], Sampling(max_new_tokens=1), journal, run_seed=1, phase=no_phase,
    )  # fmt: skip
    assert journal.verdicts()["left", 0] == failed
    assert journal.verdicts()["asked", 0].reward == 1.0


def test_chunks_of_one_step_are_of_one_model(tmp_path):
    keep_weights(tmp_path, "w1")
    keep_weights(tmp_path, "w1")
    with pytest.raises(CheckpointError, match="other weights"):
        keep_weights(tmp_path, "w2")
