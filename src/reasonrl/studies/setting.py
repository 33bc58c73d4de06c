"""What studies run on: the miniatures of a world, or a recipe; and the catalog at its scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonrl.lab.miniature import Spec
from reasonrl.lab.worlds import WORLDS
from reasonrl.studies.arm import Arm
from reasonrl.studies.arms import arms_of
from reasonrl.studies.bases import Base, miniature_base, recipe_base
from reasonrl.studies.catalog import studies_of
from reasonrl.studies.claims import Study
from reasonrl.studies.registration import registrations
from reasonrl.studies.scales import REPORT, SCALES

FIRST_DECIDING = 101
"""The first seed of the lab's deciding runs; measures, margins and seeds are chosen on others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySetting:
    """Studies and arms by name, and the base that makes their recipes.

    `world` and `spec` are those of the miniatures; where a recipe has a model of its own, the world
    is empty and the spec None. Kept runs are judged from `first_seed` on, as many as a study says.
    """

    world: str
    first_seed: int
    studies: Mapping[str, Study]
    arms: Mapping[str, Arm]
    base: Base
    spec: Spec | None

    def registered(self) -> dict[str, str]:
        """Return the registration of each study, by name."""
        return registrations(self.studies.values(), self.arms, self.base, self.first_seed)


def on_miniatures(world: str) -> StudySetting:
    """Return the setting of the miniatures of a world."""
    spec, scale = WORLDS[world], SCALES[world]
    return StudySetting(
        world=world,
        first_seed=FIRST_DECIDING,
        studies=studies_of(scale),
        arms=arms_of(scale),
        base=miniature_base(spec, scale),
        spec=spec,
    )


def on_recipe(path: Path, overrides: Sequence[str]) -> StudySetting:
    """Return the setting of a recipe, with the report's own numbers."""
    return StudySetting(
        world="",
        first_seed=1,
        studies=studies_of(REPORT),
        arms=arms_of(REPORT),
        base=recipe_base(path, overrides),
        spec=None,
    )
