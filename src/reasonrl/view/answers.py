"""What a browser asks of one run, answered from its files as plain data. Called by `server`."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request

from reasonrl.errors import DataError, ReasonRLError
from reasonrl.evaluation.score import as_line
from reasonrl.run.layout import CONFIG, EVENTS, LOGS
from reasonrl.run.prescriptions import examine_run
from reasonrl.run.record import RunRecorder
from reasonrl.run.sessions import read_sessions
from reasonrl.run.status import read_status
from reasonrl.view import samples as evaluations
from reasonrl.view import store
from reasonrl.view.spelling import speller

_PAGE = 100
"""The most rollouts of one answer."""

_LOG_BYTES = 200_000
"""The end of a log that is shown."""


def overview(run: Path) -> dict[str, object]:
    """Return how a run stands; a directory that cannot be read says why."""
    try:
        status = read_status(run)
    except (ReasonRLError, KeyError, ValueError, TypeError) as error:
        return {"name": run.name, "path": str(run), "phase": "unreadable", "error": str(error)}
    return {
        "name": run.name,
        "path": str(run),
        "recipe": status.name,
        "phase": status.phase,
        "step": status.step,
        "total": status.total,
        "stage": status.stage,
        "step_s": status.step_s,
        "left_s": status.left_s,
        "warnings": list(status.warnings),
    }


def one_run(run: Path, _: Request) -> dict[str, object]:
    """Return a run with its findings, evaluations, recipe and sittings."""
    found = examine_run(run)
    return {
        **overview(run),
        "evaluations": [as_line(result) for result in RunRecorder(run).evaluations()],
        "findings": [
            {
                "rule": one.finding.rule,
                "since": one.finding.since_step,
                "message": one.finding.message,
                "cause": one.finding.cause,
                "evidence": dict(one.finding.evidence),
                "grave": one.finding.is_grave,
                "command": one.command,
                "rollouts": one.finding.rollouts if one.rollouts else None,
            }
            for one in found
        ],
        "recipe_text": (run / CONFIG).read_text(encoding="utf-8"),
        "sessions": read_sessions(run),
        "steps": store.rollout_steps(run),
        "samples": evaluations.evaluated(run),
        "logs": sorted(_logs(run)),
    }


def metrics(run: Path, request: Request) -> dict[str, object]:
    """Return metrics by column, from the step `after` on."""
    after = int(request.query_params.get("after", 0))
    rows = [row for row in RunRecorder(run).metrics() if int(str(row["step"])) > after]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def rollouts(run: Path, request: Request) -> dict[str, object]:
    """Return a page of the rollouts of a step that the question's filters let through."""
    asked = request.query_params

    def number(name: str) -> float | None:
        return float(asked[name]) if asked.get(name) else None

    def whole(name: str) -> int | None:
        return int(asked[name]) if asked.get(name) else None

    wanted = store.Filter(
        status=asked.get("status", ""),
        signal=asked.get("signal", ""),
        stop=asked.get("stop", ""),
        text=asked.get("text", ""),
        least_tokens=whole("least_tokens"),
        most_tokens=whole("most_tokens"),
        least_reward=number("least_reward"),
        most_reward=number("most_reward"),
        order=asked.get("order", ""),
    )
    limit = min(_PAGE, int(asked.get("limit", _PAGE)))
    offset = max(0, int(asked.get("offset", 0)))
    return store.rollouts(run, int(asked["step"]), wanted, offset=offset, limit=limit)


def samples(run: Path, request: Request) -> object:
    """Return a page of the samples of a suite at a step, filtered by verdict and text."""
    asked = request.query_params
    wanted = store.Filter(
        status=asked.get("status", ""), text=asked.get("text", ""), order=asked.get("order", "")
    )
    offset = max(0, int(asked.get("offset", 0)))
    limit = min(_PAGE, int(asked.get("limit", _PAGE)))
    return evaluations.samples(
        run, asked["suite"], int(asked["step"]), wanted, offset=offset, limit=limit
    )


def problem_samples(run: Path, request: Request) -> object:
    """Return the samples of one problem of a suite at a step, whole."""
    asked = request.query_params
    return evaluations.problem_samples(run, asked["suite"], int(asked["step"]), asked["id"])


def group(run: Path, request: Request) -> object:
    """Return the rollouts of one group, whole."""
    return store.group(run, int(request.query_params["step"]), request.query_params["id"])


def rollout(run: Path, request: Request) -> object:
    """Return one rollout with its tokens spelled."""
    asked = request.query_params
    found = store.rollout(run, int(asked["step"]), asked["id"])
    spell = speller(run)
    pieces = spell(found["tokens"]) if spell else [f"[{token}]" for token in found["tokens"]]
    return {**found, "pieces": pieces}


def problem(run: Path, request: Request) -> object:
    """Return how a problem went over the run."""
    return store.problem(run, request.query_params["id"])


def log(run: Path, request: Request) -> dict[str, str]:
    """Return the end of a log file of the run, or of its events."""
    name = request.query_params["name"]
    path = _logs(run).get(name)
    if path is None:
        raise DataError(f"no log {name}", where=str(run))
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LOG_BYTES))
        return {"name": name, "text": file.read().decode(errors="replace")}


def _logs(run: Path) -> dict[str, Path]:
    """Return the log files of a run and its events by name; none that leads elsewhere."""
    paths = [*(run / LOGS).glob("*.log"), run / EVENTS]
    return {path.name: path for path in paths if path.is_file() and not path.is_symlink()}
