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
from reasonrl.report.drawing.colors import DARK, LIGHT, color_rules, variables
from reasonrl.run.layout import EVALUATIONS, HEARTBEAT, METRICS, SUMMARY
from reasonrl.view import answers, store

STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
}  # fmt: skip
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
            except ReasonRLError as error:
                return _refused(str(error), 404 if isinstance(error, DataError) else 409)
            except (IndexError, ValueError, KeyError) as error:
                return _refused(f"{type(error).__name__}: {error}", 404)

        return answer

    async def all_runs(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(lambda: [*map(answers.overview, runs)]))

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
        Route("/api/runs/{run:int}", of_run(answers.one_run)),
        Route("/api/runs/{run:int}/metrics", of_run(answers.metrics)),
        Route("/api/runs/{run:int}/columns", of_run(lambda run, _: store.columns(run))),
        Route("/api/runs/{run:int}/rollouts", of_run(answers.rollouts)),
        Route("/api/runs/{run:int}/samples", of_run(answers.samples)),
        Route("/api/runs/{run:int}/samples/problem", of_run(answers.problem_samples)),
        Route("/api/runs/{run:int}/group", of_run(answers.group)),
        Route("/api/runs/{run:int}/rollout", of_run(answers.rollout)),
        Route("/api/runs/{run:int}/problem", of_run(answers.problem)),
        Route("/api/runs/{run:int}/search", searched),
        Route("/api/runs/{run:int}/log", of_run(answers.log)),
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
