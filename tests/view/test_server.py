"""The server of `reasonrl view` gives the page and the named runs, to who knows its token alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.e2e.support import reasonrl_here as reasonrl
from tests.view.conftest import serving

pytestmark = pytest.mark.xdist_group("view")


def get(address, **changes):
    request = urllib.request.Request(address, **changes)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_nothing_is_answered_without_the_token(address):
    root = address[: address.rindex("/", 0, -1) + 1]
    for path in ("", "api/runs", "wrong-token/api/runs", "static/app.js"):
        assert get(root + path)[0] == 404
    assert get(address.rstrip("/")[:-1] + "x/api/runs")[0] == 404
    assert get(address.rstrip("/") + "x/api/runs")[0] == 404


def test_only_files_of_the_page_are_given(address):
    for name in (
        "../server.py",
        "..%2fserver.py",
        "%2e%2e/server.py",
        "/etc/passwd",
        "vendor/../../store.py",
    ):
        assert get(f"{address}static/{name}")[0] == 404
    code, headers, _ = get(f"{address}static/app.js")
    assert code == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_only_logs_of_the_run_are_given(address, runs):
    (runs[0] / "logs").mkdir(exist_ok=True)
    (runs[0] / "logs" / "link.log").symlink_to("/etc/hostname")
    for name in ("../config.toml", "..%2f..%2fetc%2fpasswd", "link.log", "nothing.log"):
        assert get(f"{address}api/runs/0/log?name={name}")[0] == 404
    (runs[0] / "logs" / "link.log").unlink()


def test_nothing_can_be_changed(address):
    for method in ("POST", "PUT", "DELETE"):
        assert get(f"{address}api/runs", method=method, data=b"{}")[0] == 405


@pytest.mark.parametrize(
    "path",
    ["runs/9", "runs/0/rollouts?step=999", "runs/0/rollouts?step=x", "runs/0/rollouts",
     "runs/0/samples?suite=../train&step=34", "runs/0/samples?suite=train&step=3",
     "runs/0/samples/problem?suite=train&step=34&id=nothing",
     "runs/0/group", "runs/0/rollout?step=3&id=nothing", "runs/0/log", "runs/-1"],
)  # fmt: skip
def test_a_wrong_question_is_answered_in_words(address, path):
    code, _, body = get(f"{address}api/{path}")
    assert code in (404, 409)
    assert path == "runs/-1" or json.loads(body)["error"]


def test_numbers_that_are_not_finite_do_not_break_the_answer(runs, tmp_path):
    import shutil

    run = tmp_path / "run"
    shutil.copytree(runs[0], run)
    lines = (run / "metrics.jsonl").read_text().splitlines()
    lines[-1] = lines[-1].replace('"update/kl": 0.0', '"update/kl": NaN')
    assert "NaN" in lines[-1]
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    with serving(run) as address:
        code, _, body = get(f"{address}api/runs/0/metrics")
        assert code == 200
        assert json.loads(body)["update/kl"][-1] is None


def test_no_run_and_no_port_are_exit_code_two(tmp_path, runs):
    none = reasonrl("view", tmp_path, "--no-open")
    assert none.returncode == 2
    assert "no run here" in none.stderr
    with serving(runs[0]) as address:
        port = address.split(":")[2].split("/")[0]
        taken = reasonrl("view", runs[0], "--no-open", "--port", port)
    assert taken.returncode == 2
    assert "--port 0" in taken.stderr
