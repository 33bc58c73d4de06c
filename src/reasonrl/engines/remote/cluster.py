"""Ray for all remote engines: a connection, seats for actors, and their answers or an error.

An answer that does not come, because the process died or is stuck, becomes `EngineLost`. A
ReasonRLError of an actor is raised here unchanged; any other exception is a bug and becomes an
`EngineError` that keeps the traceback.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from reasonrl.errors import ConfigError, EngineError, EngineLost, ReasonRLError

_POLL_S = 1.0
_KNOCK_S = 10.0
# A finished result must arrive from its node within this time.
_FETCH_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A seat for an actor: GPUs of its own, or those of other actors on a named node."""

    gpus: int = 0
    node_id: str | None = None
    visible_gpus: Sequence[str] = ()

    def options(self) -> dict[str, Any]:
        """Return the options of `ray.remote`.

        Ray never restarts an actor: a restarted one would have lost its state unnoticed.
        """
        options: dict[str, Any] = {
            "num_cpus": 0 if self.visible_gpus else 1,
            "num_gpus": self.gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        if self.visible_gpus:
            environment = {
                "CUDA_VISIBLE_DEVICES": ",".join(self.visible_gpus),
                # Otherwise Ray hides the GPUs of an actor that has none of its own.
                "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            }
            options["runtime_env"] = {"env_vars": environment}
        if self.node_id is not None:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(
                self.node_id, soft=False
            )
        return options


@contextmanager
def connect(address: str | None, *, actors: int) -> Iterator[None]:
    """Connect to the cluster at an address, or start a cluster on this machine for this context.

    Raises ConfigError when there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ranks that are ended on purpose leave errors that nobody reads.
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    # The caller has connected, and will disconnect.
    if ray.is_initialized():
        yield
        return
    if address is not None and ":" in address:
        _knock(address)
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is None:
            ray.init(address="local", num_cpus=actors + 1, include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _nobody_there(address, error) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise ConfigError within seconds when no process listens; Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()
    except (OSError, ValueError) as error:
        raise _nobody_there(address, error) from error


def _nobody_there(address: str | None, error: Exception) -> ConfigError:
    return ConfigError(
        f"no Ray cluster there: {error}",
        where=f"--address {address}",
        expected="the address of a head node, or auto on a node of the cluster",
        remedy="start one with `ray start --head`; docs/clusters.md shows how under Slurm",
    )


def node_seats() -> list[Seat]:
    """Return a seat without GPUs on every node that is alive and has a CPU for actors."""
    return [
        Seat(node_id=node["NodeID"])
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
    ]


def check_room(*, cpus: int, gpus: int, gpus_together: int) -> None:
    """Raise ConfigError when the cluster is too small: its actors would wait forever in silence.

    `gpus_together` GPUs must be on one node.
    """
    have = ray.cluster_resources()
    largest = max(
        (node["Resources"].get("GPU", 0) for node in ray.nodes() if node["Alive"]), default=0
    )
    wanted = {"CPUs": (cpus, have.get("CPU", 0)), "GPUs": (gpus, have.get("GPU", 0))}
    wanted["GPUs on one node"] = (gpus_together, largest)
    for what, (needed, available) in wanted.items():
        if available < needed:
            raise ConfigError(
                f"the recipe needs {needed} {what}, the cluster has {available:g}",
                where="[engine]",
                remedy="add nodes, or lower replicas, ranks or tensor_parallel",
            )


def answers(refs: Sequence[Any], *, who: str, timeout_s: float, name: str = "") -> list[Any]:
    """Return the answers of actors; raise as soon as one of them fails.

    With a `name`, messages call the actors NAME-0, NAME-1, ...
    """
    names = {ref: f"{name}-{number} ({who})" if name else who for number, ref in enumerate(refs)}
    results: dict[Any, Any] = {}
    waiting, end = list(refs), time.monotonic() + timeout_s
    while waiting:
        done, waiting = ray.wait(waiting, timeout=_POLL_S)
        for ref in done:
            results[ref] = settle(ref, who=names[ref])
        if waiting and time.monotonic() > end:
            raise EngineLost(
                f"no answer from {names[waiting[0]]} within {timeout_s:g} s",
                remedy="read its log, or set a longer timeout_s",
            )
    return [results[ref] for ref in refs]


def settle(ref: Any, *, who: str) -> Any:
    """Return the result of a finished call, or raise its error."""
    try:
        return ray.get(ref, timeout=_FETCH_S)
    except RayTaskError as error:
        if isinstance(error.cause, ReasonRLError):
            raise error.cause from None
        raise EngineError(
            f"{who} failed: {error.cause!r}", remedy="read the traceback in its log"
        ) from error
    except (RayActorError, GetTimeoutError) as error:
        if isinstance(error, RayActorError) and error.actor_init_failed:
            last_line = str(error).strip().splitlines()[-1]
            raise EngineError(f"{who} could not start: {last_line}") from error
        first_line = str(error).strip().partition("\n")[0]
        raise EngineLost(f"{who} is lost: {first_line}", remedy="read its log") from error
    except RayError as error:
        raise EngineLost(f"{who} is lost: {type(error).__name__}") from error


def start(kind: type, seat: Seat, *args: object, groups: Mapping[str, int] | None = None) -> Any:
    """Start an actor of a class on a seat; `groups` are extra threads for calls beside its work."""
    options = {"concurrency_groups": dict(groups)} if groups else {}
    actor = ray.remote(**options)(kind) if options else ray.remote(kind)
    return actor.options(**seat.options()).remote(*args)


def end(actors: Sequence[Any]) -> None:
    """Kill actors. An actor that is already dead is no error."""
    for actor in actors:
        ray.kill(actor)


def failures_to_log(kind: type) -> type:
    """Let every method of an actor's class print the exceptions it raises, for the actor's log."""
    for name, method in list(vars(kind).items()):
        if callable(method):
            setattr(kind, name, _logged(method))
    return kind


def _logged(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def logged(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except Exception:
            traceback.print_exc()
            sys.stderr.flush()
            raise

    return logged


def write_output_to(log: Path) -> None:
    """Append everything that this process prints, C code included, to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    print(f"--- pid {os.getpid()} on {socket.gethostname()}, {now}", flush=True)
