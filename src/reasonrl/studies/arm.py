"""What an arm is, the writer of arms, and the changes that many arms share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reasonrl.studies.scales import Scale

Changes = Mapping[str, object]
"""Dotted keys of a recipe and their values."""

TRAIN, EASY, NOISY = "train", "easy", "noisy"
"""Problem files that only the lab has; `bases` knows their paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """An arm: its changes to the base recipe, its stages, each with its steps, and its data.

    It is evaluated every `every` steps. With `is_cool` it is also evaluated at temperature 0.6.
    """

    name: str
    what: str
    changes: Changes
    stages: tuple[Changes, ...]
    every: int
    data: tuple[str, ...] = (TRAIN,)
    is_cool: bool = False


@dataclass(frozen=True, slots=True)
class ArmWriter:
    """A collector of the arms of one scale."""

    scale: Scale
    arms: dict[str, Arm] = field(default_factory=dict)

    def add(
        self,
        name: str,
        what: str,
        *changes: Changes,
        steps: int | None = None,
        stages: tuple[Changes, ...] = (),
        data: tuple[str, ...] = (TRAIN,),
        is_cool: bool = False,
    ) -> None:
        merged = {key: value for part in changes for key, value in part.items()}
        stages = stages or ({"steps": steps or self.scale.steps},)
        self.arms[name] = Arm(
            name=name,
            what=what,
            changes=merged,
            stages=stages,
            every=self._every(stages),
            data=data,
            is_cool=is_cool,
        )

    def _every(self, stages: tuple[Changes, ...]) -> int:
        """Return the steps between evaluations: more for arms that are longer than the others.

        Evaluations of an arm of four times the steps would otherwise cost more than its training.
        """
        steps = sum(int(str(stage["steps"])) for stage in stages)
        usual = self.scale.evaluate_every
        if steps <= self.scale.steps:
            return usual
        return usual * (2 if steps <= 4 * self.scale.steps else 5)


def n_sgd(minibatches: int, reuse: int = 1) -> Changes:
    """Return the changes for some minibatches a step, each used `reuse` times."""
    return {"update.minibatches": minibatches, "update.reuse": reuse}


def adaptive(scale: Scale) -> Changes:
    """Return the changes for adaptive entropy control (eq. 3.2)."""
    return {
        "entropy.mode": "report",
        "entropy.target_nats": scale.target_nats,
        "entropy.delta": scale.delta,
        "entropy.maximum": scale.maximum,
    }
