"""What rules may know of a run besides its recipe and its metrics. Read by `run.prescriptions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A suite's avg@k at a step, with its 95 % interval."""

    suite: str
    step: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """How many of a stage's problems have the prompt of an earlier problem."""

    repeated: int
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the files around the metrics say.

    `repeats` is by the name of a stage. `free_bytes` is what the run's disk has left,
    `checkpoint_bytes` the size of a checkpoint; None where it is not known.
    """

    evaluations: Sequence[Evaluated] = ()
    repeats: Mapping[str, Repeats] = field(default_factory=dict)
    free_bytes: int | None = None
    checkpoint_bytes: int | None = None

    def until(self, step: int) -> Facts:
        """Return what was known at a step; the disk and the problems are as they are now."""
        return Facts(
            evaluations=[one for one in self.evaluations if one.step <= step],
            repeats=self.repeats,
            free_bytes=self.free_bytes,
            checkpoint_bytes=self.checkpoint_bytes,
        )


NO_FACTS = Facts()
