"""The page of `reasonrl view`, in the system's Chromium: what a person looks for is found."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from tests.e2e.support import COMMAND, RECIPES
from tests.view.conftest import serving

pytestmark = pytest.mark.xdist_group("view")


def rows_of(run, step):
    return pq.read_table(run / "rollouts" / f"step-{step:06d}.parquet").to_pylist()


def test_three_runs_lie_over_one_another_and_say_what_is_wrong(page, address):
    page.goto(address)
    page.wait_for_selector(".chart .u-legend")
    assert page.locator("main .scroll tbody tr").count() == 3
    assert "the policy lost what it could" in page.locator("main .scroll tbody").first.inner_text()
    first = page.locator(".chart").first
    for name in ("well", "broken", "parts"):
        assert name in first.inner_text()
    page.get_by_label("show broken in the curves").uncheck()
    expect(page.locator(".chart").first).not_to_contain_text("broken")


def test_a_finished_run_shows_findings_curves_and_evaluations(page, address):
    page.goto(f"{address}#/run/1")
    page.wait_for_selector(".chart canvas")
    findings = page.locator("#findings").inner_text()
    assert "the policy lost what it could" in findings
    assert "--set stage.2.update.learning_rate=0.03" in findings
    assert page.locator(".chart").count() >= 6
    assert page.locator("h2", has_text="Evaluations").count() == 1
    page.locator("#findings a").first.click()
    page.wait_for_selector("#list .scroll tbody tr")
    assert "/step/" in page.url


def test_rollouts_are_filtered(page, address, runs):
    page.goto(f"{address}#/run/0/step/20")
    page.wait_for_selector("#list .scroll tbody tr")
    rows = rows_of(runs[0], 20)
    right = [row for row in rows if row["status"] == "CORRECT"]
    page.select_option("select[name=status]", "CORRECT")
    expect(page.locator("#count")).to_have_text(re.compile(rf"^{len(right)} "))
    page.select_option("select[name=status]", "")
    page.fill("input[name=most_tokens]", "2")
    page.press("input[name=most_tokens]", "Enter")
    few = [row for row in rows if len(row["tokens"]) <= 2]
    expect(page.locator("#count")).to_have_text(re.compile(rf"^{len(few)} "))


def test_a_rollout_is_read_token_by_token_beside_its_group(page, address, runs):
    row = next(
        row for row in rows_of(runs[0], 22) if row["signal"] == "kept" and len(row["tokens"]) > 1
    )
    page.goto(f"{address}#/run/0/step/22/rollout/{row['rollout_id'].replace('/', '%2F')}")
    page.wait_for_selector("#tokens span")
    assert page.locator("#tokens span").count() == len(row["tokens"])
    page.locator("#tokens").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    said = page.locator("#token").inner_text()
    for word in (
        "token 1",
        "log-probability",
        "entropy",
        "learner / sampler 1",
        "advantage",
        "version",
    ):
        assert word in said
    assert page.locator(".members .card").count() == 16
    assert row["answer"] in page.locator(".facts").inner_text()


def test_keys_lead_from_a_list_to_a_rollout_and_back(page, address):
    page.goto(f"{address}#/run/0/step/20")
    page.wait_for_selector("#list .scroll tbody tr")
    for key in ("j", "j", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#tokens span")
    page.keyboard.press("u")
    page.wait_for_selector("#list .scroll tbody tr")
    page.keyboard.press("]")
    expect(page.locator("h1")).to_have_text("Rollouts of step 21")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()


def test_a_search_streams_its_hits_from_the_newest_step_on(page, address, runs):
    page.goto(f"{address}#/run/0")
    page.wait_for_selector("#search")
    page.keyboard.press("/")
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    expect(page.locator("#hits")).to_have_text(re.compile(r"^[0-9]+ hits(, the first.*)?$"))
    n = sum("4" in row["text"] for step in range(1, 35) for row in rows_of(runs[0], step))
    assert page.locator("#hits").inner_text().startswith(f"{n} hits")
    assert page.locator("mark").first.inner_text() == "4"
    assert "step 34" in page.locator("main .scroll tbody tr").first.inner_text()


def test_a_problem_tells_how_it_went_over_the_run(page, address, runs):
    row = rows_of(runs[0], 20)[0]
    page.goto(f"{address}#/run/0/problem/{row['problem_id']}")
    page.wait_for_selector("main .scroll tbody tr")
    drawn = [
        step
        for step in range(1, 35)
        if any(r["problem_id"] == row["problem_id"] for r in rows_of(runs[0], step))
    ]
    assert page.locator("main .scroll tbody tr").count() == len(drawn)


def test_samples_of_an_evaluation_are_read_problem_by_problem(page, address, runs):
    path = runs[0] / "evaluations" / "train" / "step-000034.parquet"
    rows = pq.read_table(path).to_pylist()
    page.goto(f"{address}#/run/0")
    page.get_by_role("link", name="step 34", exact=True).click()
    expect(page.locator("#count")).to_have_text(re.compile(rf"^{len(rows)} "))
    right = [row for row in rows if row["status"] == "CORRECT"]
    page.select_option("select[name=status]", "CORRECT")
    expect(page.locator("#count")).to_have_text(re.compile(rf"^{len(right)} "))
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector(".members .card")
    own = [row for row in rows if row["problem_id"] == right[0]["problem_id"]]
    assert page.locator("h1").inner_text() == right[0]["problem_id"]
    assert page.locator(".members .card").count() == len(own)
    assert own[0]["text"].strip() in page.locator(".members").inner_text()
    page.keyboard.press("[")
    expect(page.locator(".facts div", has_text="step")).to_contain_text("0")
    page.keyboard.press("u")
    expect(page.locator("h1")).to_have_text("train at step 0")


def test_components_spread_logs_and_recipe_are_there(page, address):
    page.goto(f"{address}#/run/2/step/3")
    page.wait_for_selector("#list .scroll tbody tr")
    assert "repetition" in page.locator("#list thead").inner_text()
    page.goto(f"{address}#/run/2/spread")
    page.wait_for_selector(".chart canvas")
    page.goto(f"{address}#/run/2/recipe")
    page.wait_for_selector("pre")
    assert "repetition" in page.locator("pre").inner_text()
    page.goto(f"{address}#/run/2/logs")
    page.wait_for_selector("pre.log")


@pytest.mark.parametrize("page", [{"color_scheme": "dark"}], indirect=True)
def test_a_narrow_dark_screen_loses_nothing(page, address):
    page.set_viewport_size({"width": 380, "height": 800})
    for place in ("", "run/1", "run/0/step/20"):
        page.goto(f"{address}#/{place}")
        page.wait_for_selector("main .scroll tbody tr")
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"


@pytest.mark.allowed("404")
def test_what_is_not_there_is_said(page, address):
    page.goto(f"{address}#/run/99")
    page.wait_for_selector(".error")
    page.goto(f"{address}#/run/0/step/999")
    expect(page.locator(".error")).to_contain_text("no rollouts of step 999")


HOSTILE = "</pre></script><script>window.pwned=1</script><img src=x onerror='window.pwned=2'>"


def test_a_hostile_rollout_is_text(page, runs, tmp_path):
    run = tmp_path / "<b>run"
    shutil.copytree(runs[0], run)
    path = run / "rollouts" / "step-000020.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    for row in rows[:16]:
        row |= {"text": HOSTILE, "reason": HOSTILE, "extracted": HOSTILE, "answer": HOSTILE,
                "prompt": HOSTILE, "prompt_turns": [{"role": HOSTILE, "content": HOSTILE}],
                "status": HOSTILE, "signal": HOSTILE, "problem_id": HOSTILE}  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    lines = (run / "metrics.jsonl").read_text().splitlines()
    lines[-1] = json.dumps(json.loads(lines[-1]) | {f"verify/status/{HOSTILE}": 3, HOSTILE: 1})
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    (run / "logs").mkdir(exist_ok=True)
    (run / "logs" / "hostile.log").write_text(HOSTILE)
    name = rows[0]["rollout_id"].replace("/", "%2F")
    with serving(run) as address:
        for place, wait in (
            ("", "main .scroll tbody tr"), ("run/0", ".chart"),
            ("run/0/step/20", "#list .scroll tbody tr"),
            (f"run/0/step/20/rollout/{name}", "#tokens span"), ("run/0/search/script", "mark"),
            ("run/0/logs/hostile.log", "pre.log"),
        ):  # fmt: skip
            page.goto(f"{address}#/{place}")
            page.wait_for_selector(wait)
            page.wait_for_timeout(200)
            assert page.evaluate("window.pwned") is None
            assert page.locator("main img, main script").count() == 0
        page.goto(f"{address}#/run/0/step/20/rollout/{name}")
        page.wait_for_selector(".members .card")
        assert HOSTILE in page.locator(".members pre").first.inner_text()
        page.goto("about:blank")


def test_a_run_that_trains_is_followed(page, tmp_path):
    run = tmp_path / "live"
    words = [
        word for s in ("stage.1.steps=400", "engine.threads=1", "suite=[]") for word in ("--set", s)
    ]
    training = subprocess.Popen(
        [*COMMAND, "train", str(RECIPES / "tiny.toml"), "--run-dir", str(run), *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not (run / "metrics.jsonl").exists():
            assert training.poll() is None
        with serving(run) as address:
            page.goto(f"{address}#/run/0")
            page.wait_for_selector(".chart canvas")
            steps = page.locator(".facts dd").nth(1)
            before = int(steps.inner_text().split()[0])
            later = "|".join(str(before + more) for more in range(3, 60))
            expect(steps).to_have_text(re.compile(rf"^({later}) of"), timeout=30_000)
            assert page.locator("#live").inner_text() == "live"
            assert "running" in page.locator(".facts").inner_text()
            page.goto("about:blank")
    finally:
        training.terminate()
        training.wait(timeout=60)
