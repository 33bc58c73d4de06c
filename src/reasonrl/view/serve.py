"""Serve the page of some runs until a person ends it. Called by `reasonrl view`."""

from __future__ import annotations

import secrets
import socket
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from reasonrl.errors import ConfigError
from reasonrl.view.server import application

LOOPBACK = "127.0.0.1"


def serve(runs: Sequence[Path], *, port: int, opens: bool, say: Callable[[str], None]) -> None:
    """Serve the runs on this machine alone until Ctrl-C; port 0 takes any that is free."""
    token = secrets.token_urlsafe(16)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen: {error.strerror}",
            where=f"--port {port}",
            expected="a port of this machine that is free",
            remedy="pass another --port, or --port 0 for any free one",
        ) from error
    address = f"http://{LOOPBACK}:{listener.getsockname()[1]}/{token}/"
    say(f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} at {address} (Ctrl-C ends)")
    if opens:
        webbrowser.open(address)
    config = uvicorn.Config(
        application(runs, token),
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=1,
        lifespan="off",
    )
    with listener:
        uvicorn.Server(config).run(sockets=[listener])
