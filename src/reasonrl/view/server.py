"""Answer a browser on this machine: JSON of the runs, and the page's own files.

Everything is below a token in the address, which another page of the browser cannot guess. Only
GET is answered, only files of the page and of the named runs are read, and nothing is written.
What a model wrote goes out as JSON; the page shows it as text.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reasonrl.errors import DataError, ReasonRLError
from reasonrl.evaluation.score import as_line
from reasonrl.report.drawing.colors import DARK, LIGHT, color_rules, variables
from reasonrl.run.layout import (
    CONFIG,
    EVALUATIONS,
    EVENTS,
    HEARTBEAT,
    LOGS,
    METRICS,
    SUMMARY,
)
from reasonrl.run.prescriptions import examine_run
from reasonrl.run.record import RunRecorder
from reasonrl.run.sessions import read_sessions
from reasonrl.run.status import read_status
from reasonrl.view import store
from reasonrl.view.spelling import speller

STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
}  # fmt: skip
_PAGE = 100
_LOG_BYTES = 200_000
_LOOK_S = 1.0
"""Seconds between two looks for something new in the runs."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Work = Callable[[Path, Request], object]


class _Guard:
    """Answer only requests that know the token, and forbid what the page does not need."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._prefix = app, f"/{token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = str(scope["path"])
        given = path[: len(self._prefix)].encode()
        is_known = secrets.compare_digest(given, self._prefix.encode())
        if not is_known or path[len(self._prefix) : len(self._prefix) + 1] not in ("", "/"):
            await Response("not found", status_code=404)(scope, receive, send)
            return
        inner = dict(scope, path=path[len(self._prefix) :] or "/", raw_path=None)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", _POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                    (b"cross-origin-resource-policy", b"same-origin"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        await self._app(inner, receive, send_guarded)


def application(runs: Sequence[Path], token: str) -> Starlette:
    """Return the application that shows these runs below `/TOKEN/`."""

    def of_run(work: Work) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                run = runs[int(request.path_params["run"])]
                return JSONResponse(_finite(await run_in_threadpool(work, run, request)))
            except (IndexError, ValueError, KeyError) as error:
                return _refused(f"{type(error).__name__}: {error}", 404)
            except ReasonRLError as error:
                return _refused(str(error), 404 if isinstance(error, DataError) else 409)

        return answer

    async def all_runs(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(lambda: [*map(_overview, runs)]))

    async def events(_: Request) -> Response:
        return _stream(_changes(runs))

    async def searched(request: Request) -> Response:
        number, text = int(request.path_params["run"]), request.query_params.get("q", "")
        found = store.search(runs[number], text) if text and number < len(runs) else iter(())
        return _stream(_as_async(found))

    routes = [
        Route("/", _static),
        Route("/colors.css", _colors),
        Route("/static/{name:path}", _static),
        Route("/api/runs", all_runs),
        Route("/api/events", events),
        Route("/api/runs/{run:int}", of_run(_one_run)),
        Route("/api/runs/{run:int}/metrics", of_run(_metrics)),
        Route("/api/runs/{run:int}/columns", of_run(lambda run, _: store.columns(run))),
        Route("/api/runs/{run:int}/rollouts", of_run(_rollouts)),
        Route("/api/runs/{run:int}/group", of_run(_group)),
        Route("/api/runs/{run:int}/rollout", of_run(_rollout)),
        Route("/api/runs/{run:int}/problem", of_run(_problem)),
        Route("/api/runs/{run:int}/search", searched),
        Route("/api/runs/{run:int}/log", of_run(_log)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(_Guard, token=token)])


def _finite(value: object) -> object:
    """Return plain data with None for numbers that JSON has no words for."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def _refused(text: str, code: int) -> Response:
    return JSONResponse({"error": text}, status_code=code)


async def _static(request: Request) -> Response:
    """Return a file of the page; nothing outside its folder."""
    name = request.path_params.get("name", "index.html")
    path = (STATIC / name).resolve()
    if not path.is_relative_to(STATIC.resolve()) or path.suffix not in _TYPES or not path.is_file():
        return Response("not found", status_code=404)
    return FileResponse(path, media_type=_TYPES[path.suffix])


async def _colors(_: Request) -> Response:
    css = (
        f":root{{color-scheme:light dark;{variables(LIGHT)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}\n{color_rules()}"
    )
    return Response(css, media_type="text/css")


# what is asked of a run


def _overview(run: Path) -> dict[str, object]:
    try:
        status = read_status(run)
    except ReasonRLError as error:
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


def _one_run(run: Path, _: Request) -> dict[str, object]:
    found = examine_run(run)
    return {
        **_overview(run),
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
        "logs": sorted(_logs(run)),
    }


def _metrics(run: Path, request: Request) -> dict[str, object]:
    """Return metrics by column, from the step `after` on."""
    after = int(request.query_params.get("after", 0))
    rows = [row for row in RunRecorder(run).metrics() if int(str(row["step"])) > after]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _rollouts(run: Path, request: Request) -> dict[str, object]:
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


def _group(run: Path, request: Request) -> object:
    return store.group(run, int(request.query_params["step"]), request.query_params["id"])


def _rollout(run: Path, request: Request) -> object:
    asked = request.query_params
    found = store.rollout(run, int(asked["step"]), asked["id"])
    spell = speller(run)
    pieces = spell(found["tokens"]) if spell else [f"[{token}]" for token in found["tokens"]]
    return {**found, "pieces": pieces}


def _problem(run: Path, request: Request) -> object:
    return store.problem(run, request.query_params["id"])


def _log(run: Path, request: Request) -> dict[str, str]:
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


# streams


def _stream(items: AsyncIterator[object]) -> Response:
    async def lines() -> AsyncIterator[str]:
        async for item in items:
            yield f"data: {json.dumps(item)}\n\n"
        yield "event: done\ndata: {}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


async def _as_async(items: Iterator[object]) -> AsyncIterator[object]:
    async for item in iterate_in_threadpool(items):
        yield item


async def _changes(runs: Sequence[Path]) -> AsyncIterator[object]:
    """Yield the number of a run whenever its record has grown or it has ended."""
    seen = [_stamp(run) for run in runs]
    while True:
        await asyncio.sleep(_LOOK_S)
        now = await run_in_threadpool(lambda: [*map(_stamp, runs)])
        changed = [number for number, stamp in enumerate(now) if stamp != seen[number]]
        seen = now
        # An empty message keeps the connection, and finds out that the browser has gone.
        yield {"changed": changed}


def _stamp(run: Path) -> tuple[int, ...]:
    paths = [run / name for name in (METRICS, EVALUATIONS, SUMMARY)]
    ended = b'"ended": true' in _bytes(run / HEARTBEAT)
    return (*(path.stat().st_mtime_ns if path.exists() else 0 for path in paths), int(ended))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
