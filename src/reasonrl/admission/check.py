"""The check of one model: what it is, and how near each way to compute it is to transformers.

Real weights are measured where the memory is there for them, else a random model with two of the
model's layers. Called by `reasonrl model check`.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from reasonrl.admission.agreement import (
    DEEP,
    NATIVE_WAYS,
    PLAIN_WAYS,
    Way,
    WayDistance,
    agreements,
)
from reasonrl.admission.look import ModelLook
from reasonrl.errors import ModelError, ReasonRLError, RefusedError
from reasonrl.models.admission import Backend
from reasonrl.models.random import save_small_copy

_TRIAL_BYTES = 40
"""The bytes of a parameter in a trial: three models in float32, gradients of all, ranks' shares."""

_LAYERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A directory whose model is measured, and the words for it."""

    directory: str
    what: str


@contextmanager
def trial_of(look: ModelLook) -> Iterator[Trial | None]:
    """Give the model to measure: the real one, two layers of it, or None where neither fits."""
    free = psutil.virtual_memory().available
    if _TRIAL_BYTES * look.parameters <= free:
        yield Trial(directory=look.directory, what="its own weights")
        return
    with tempfile.TemporaryDirectory() as directory:
        config = copy.deepcopy(_text_config(look))
        try:
            most = free / _TRIAL_BYTES
            parameters = save_small_copy(config, Path(directory), layers=_LAYERS, limit=most)
        except Exception:  # noqa: BLE001  (any config may resist; nothing but the numbers is lost)
            parameters = None
        if parameters is None:
            yield None
            return
        yield Trial(
            directory=directory,
            what=f"{_LAYERS} of its layers with random weights ({parameters / 1e6:,.0f}M "
            "parameters): its own do not fit in the memory that is free here",
        )


def _text_config(look: ModelLook) -> Any:
    module: Any = look.model.module
    return module.config.get_text_config()


def distances(look: ModelLook, trial: Trial, *, with_ranks: bool) -> Iterator[WayDistance]:
    """Yield the distance of each way from plain transformers as it is measured.

    Raises RefusedError with the reason when the model cannot be loaded, or fails as it runs.
    """
    backend = look.model.backend
    ways: tuple[Way, ...] = NATIVE_WAYS if backend is Backend.NATIVE else PLAIN_WAYS
    if not with_ranks:
        ways = tuple(way for way in ways if way not in (Way.RANKS, Way.SHARED_ROW))
    heads = getattr(_text_config(look), "num_attention_heads", 1)
    if heads % 2:
        ways = tuple(way for way in ways if way is not Way.SHARED_ROW)
    try:
        yield from agreements(trial.directory, backend, ways=ways)
    except ModelError as error:
        raise RefusedError(
            error.what, where=look.model.name, expected=error.expected, remedy=error.remedy
        ) from error
    except Exception as error:
        if isinstance(error, ReasonRLError) or backend is Backend.NATIVE:
            raise
        # A family that nobody prepared may fail in any way, and its way is the answer.
        first_line = str(error).partition("\n")[0]
        raise RefusedError(
            f"it fails as it runs: {type(error).__name__}: {first_line}",
            where=look.model.name,
            expected="a model that scores, samples and learns as plain transformers does",
            remedy="look the message up in the model's code in transformers; a package that the "
            "family needs may be missing",
        ) from error


def is_near(distance: WayDistance) -> bool:
    """Return whether rounding explains a distance of real weights."""
    return distance.is_near(*DEEP)
