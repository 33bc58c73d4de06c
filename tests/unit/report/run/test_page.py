"""Laws of the page and the picture of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from reasonrl.algo.choices import TruncationRule
from reasonrl.algo.select import select_group
from reasonrl.algo.stats import Estimate
from reasonrl.diagnosis.finding import RunFinding
from reasonrl.evaluation.score import SuiteResult
from reasonrl.report.run.curves import charts_svg
from reasonrl.report.run.head import Standing
from reasonrl.report.run.page import render_page
from reasonrl.report.run.samples import ShownRollout, read_samples
from reasonrl.run.prescriptions import Prescription
from reasonrl.run.record import RunRecorder
from reasonrl.types import (
    Completion,
    Group,
    Message,
    Problem,
    Rollout,
    Row,
    Status,
    StopReason,
    Verdict,
)

HOSTILE = '</title></svg><script>alert("x")</script><img src=x onerror=alert(1)>'
NUMBERS: Mapping[str, float] = {
    "accuracy/all": 0.5, "accuracy/finished": 0.75, "rollout/truncated_share": 0.25,
    "rollout/mean_tokens": 8.5, "rollout/max_tokens": 16, "groups/kept": 5, "groups/solved": 2,
    "groups/unsolved": 1, "groups/flat": 0, "groups/failed": 0, "entropy/nats": 0.4,
    "entropy/alpha": 1e-3, "update/gradient_norm": 8.0, "update/gap_mean": 1e-6,
    "update/gap_max": 1e-5, "time/rollout_s": 4.0, "time/update_s": 3.0, "time/other_s": 0.1,
}  # fmt: skip


def rows(n: int, *, stages: tuple[str, ...] = ("short", "long")) -> list[Row]:
    return [
        {"step": step, "stage": stages[(step - 1) * len(stages) // n], **NUMBERS}
        for step in range(1, n + 1)
    ]


def result(step: int, value: float, *, suite: str = "heldout") -> SuiteResult:
    return SuiteResult(
        suite=suite,
        step=step,
        accuracy=Estimate(value=value, ci95=(value - 0.05, value + 0.05)),
        accuracy_finished=None,
        truncated_share=0.684,
        mean_tokens=13.83,
        n_problems=64,
        k=8,
        temperature=1.0,
        max_new_tokens=16,
        failed=0,
    )


def sample(step: int, *, text: str = "7", prompt: str | None = None) -> ShownRollout:
    return ShownRollout(
        step=step,
        problem_id=f"add-{step}",
        prompt=prompt,
        text=text,
        answer="7",
        reward=1.0,
        status="CORRECT",
        advantage=0.5,
    )


class Tags(HTMLParser):
    """Collect the tags and attributes that a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("n", [0, 1, 2, 30])
@pytest.mark.parametrize("evaluations", [[], [result(0, 0.12)], [result(0, 0.12), result(2, 0.9)]])
def test_runs_of_any_length_are_drawn(n: int, evaluations: list[SuiteResult]) -> None:
    metrics = rows(n) if n else []
    page = render_page(title="mine", metrics=metrics, evaluations=evaluations)
    assert page.count("<figure>") >= 4
    ElementTree.fromstring(charts_svg(metrics, evaluations))


def test_text_of_the_run_is_never_markup() -> None:
    page = render_page(
        title=HOSTILE,
        metrics=rows(4, stages=(HOSTILE, "b" + HOSTILE)),
        evaluations=[result(0, 0.1, suite=HOSTILE)],
        summary={"model": HOSTILE, "steps": 4, "finished_at": HOSTILE},
        samples=[sample(1, text=HOSTILE, prompt=HOSTILE)],
    )
    seen = Tags(page)
    assert not seen.tags & {"script", "img"}
    assert "onerror" not in seen.attributes
    assert page.count("&lt;script&gt;alert(&quot;x&quot;)") >= 7


def test_text_of_the_run_is_never_markup_in_the_picture() -> None:
    metrics = rows(4, stages=(HOSTILE, "\x0b\x00"))
    root = ElementTree.fromstring(charts_svg(metrics, [result(0, 0.1, suite=HOSTILE)]))
    known = {"svg", "style", "rect", "g", "text", "tspan", "path", "circle"}
    assert {one.tag.partition("}")[2] for one in root.iter()} == known


def test_the_page_asks_for_nothing_outside_itself() -> None:
    page = render_page(title="mine", metrics=rows(3), evaluations=[result(0, 0.1)])
    assert "default-src 'none'" in page
    seen = Tags(page)
    assert not seen.tags & {"script", "link", "img", "iframe"}
    assert not seen.attributes & {"src", "srcset"}
    assert all(one.startswith("#") for one in re.findall('href="([^"]*)"', page))
    assert not re.search(r"https?:|url\(|@import", page)


def test_the_table_sets_before_and_after_side_by_side() -> None:
    page = render_page(
        title="mine", metrics=rows(3), evaluations=[result(0, 0.121), result(3, 0.904)]
    )
    for shown in (
        "<b>12.1%</b><br><small>[7.1, 17.1]</small>",
        "<b>90.4%</b><br><small>[85.4, 95.4]</small>",
        "+78.3 points",
        "68.4% → 68.4%",
        "13.8 → 13.8",
        "avg@8, 64 problems, step 0 to 3",
    ):
        assert shown in page


def test_one_evaluation_is_no_change() -> None:
    page = render_page(title="mine", metrics=[], evaluations=[result(0, 0.121)])
    assert "avg@8, 64 problems, step 0<" in page
    assert "points" not in page


def test_the_head_says_what_ran_and_for_how_long() -> None:
    summary = {"model": "tiny", "seed": 3, "steps": 4, "train_wall_s": 3725.2, "eval": {}}
    page = render_page(title="mine", metrics=rows(4), evaluations=[], summary=summary)
    for shown in ("tiny", "<dd>3</dd>", "1 h 2 min", "short (1 to 2), long (3 to 4)"):
        assert shown in page
    assert "not finished" not in page
    assert "not finished" in render_page(title="mine", metrics=rows(4), evaluations=[])


def test_not_a_number_is_a_gap_like_a_key_that_is_not_there() -> None:
    metrics = rows(3)
    metrics[1]["accuracy/all"] = float("nan")
    del metrics[2]["accuracy/all"]
    assert "nan" not in charts_svg(metrics, []).lower()


def test_the_picture_needs_no_css_variables() -> None:
    picture = charts_svg(rows(4), [result(0, 0.1)])
    assert "var(" not in picture
    assert 'width="1000" height="640"' in picture


def test_each_step_of_rollouts_is_folded_and_can_be_linked_to() -> None:
    samples = [sample(step) for step in (1, 3)]
    page = render_page(title="mine", metrics=rows(3), evaluations=[], samples=samples)
    assert re.findall('<details class="card" id="(step-[0-9])"', page) == ["step-1", "step-3"]


def test_a_rollout_says_why_it_was_wrong() -> None:
    wrong = replace(sample(1), reason="the key is 7", extracted="8", rollout_id="train-1/add/0")
    page = render_page(title="mine", metrics=rows(1), evaluations=[], samples=[wrong])
    assert "(the key is 7)" in page
    assert "read: 8" in page
    assert 'href="#train-1/add/0"' in page


def test_what_is_wrong_stands_first_in_words_with_a_command() -> None:
    finding = RunFinding(
        rule="truncated", since_step=2, message="all are cut off", cause="the limit is low",
        evidence={"limit": 4}, rollouts=3,
    )  # fmt: skip
    found = [Prescription(finding=finding, command="reasonrl train <x>", rollouts="r.parquet")]
    page = render_page(title="mine", metrics=rows(3), evaluations=[], found=found)
    assert page.index("all are cut off") < page.index("<figure>")
    assert '<a href="#step-3">rollouts of step 3</a>' in page
    assert "reasonrl train &lt;x&gt;" in page
    assert "found nothing wrong" not in page
    assert "found nothing wrong" in render_page(title="mine", metrics=rows(3), evaluations=[])


def test_the_head_has_rates_and_the_machine_and_the_page_its_recipe() -> None:
    metrics = [row | {"time/step_s": 2.0, "rollout/sampled": 100} for row in rows(4)]
    page = render_page(
        title="mine",
        metrics=metrics,
        evaluations=[],
        standing=Standing(phase="running", total=9, left_s=70),
        sessions=[{"command": "reasonrl train x", "machine": {"processor": "P", "cores": 2}}],
        recipe="seed = 7",
    )
    for shown in ("4 of 9", "about 1 min 10 s", "425 tokens a second", "rollout 56%", "seed = 7"):
        assert shown in page
    assert "reasonrl train x" in page


def test_a_runaway_rollout_is_cut() -> None:
    page = render_page(
        title="mine", metrics=[], evaluations=[], samples=[sample(1, text="y" * 50_000)]
    )
    assert "y" * 20_001 not in page
    assert "(30000 characters more)" in page


def rollout(index: int, reward: float | None) -> Rollout:
    completion = Completion(
        tokens=np.array([1], np.int32),
        logprobs=np.array([-0.5], np.float32),
        stop=StopReason.STOP,
        version=0,
    )
    status = Status.INFRA_ERROR if reward is None else Status.CORRECT
    verdict = Verdict(reward=reward, status=status)
    return Rollout(
        id=str(index), index=index, completion=completion, text=f"t{index}", verdict=verdict
    )


def test_samples_come_from_the_first_and_last_step(tmp_path: Path) -> None:
    problem = Problem(id="p", prompt=(Message(role="user", content="1+1"),), answer="2")
    rewards = (1.0, 0.0, None, 1.0)
    group = Group(
        problem=problem,
        prompt=np.array([1], np.int32),
        rollouts=tuple(rollout(index, reward) for index, reward in enumerate(rewards)),
    )
    recorder = RunRecorder(tmp_path)
    for step in (1, 2, 3):
        recorder.rollouts(step, "s", [select_group(group, TruncationRule.NONE)])
    found = read_samples(tmp_path, per_step=2)
    assert [(one.step, one.text, one.reward) for one in found] == [
        (1, "t0", 1.0),
        (1, "t2", None),
        (3, "t0", 1.0),
        (3, "t2", None),
    ]
    assert {one.step for one in read_samples(tmp_path, steps=[2, 8])} == {1, 2, 3}
    assert len(read_samples(tmp_path, per_step=9)) == 2 * len(rewards)
    assert read_samples(tmp_path / "nothing") == []
