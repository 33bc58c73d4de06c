"""What studies run on: the miniature or a recipe, with the catalog and the arms at its scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonrl.lab.miniature import Spec
from reasonrl.studies.arms import Arm, arms_of
from reasonrl.studies.bases import Base, miniature_base, recipe_base
from reasonrl.studies.catalog import studies_of
from reasonrl.studies.claims import Study
from reasonrl.studies.registration import registrations
from reasonrl.studies.scales import MINIATURE, REPORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Studies and arms by name, and the base that makes their recipes.

    `spec` is that of the miniatures, None where a recipe has a model of its own.
    """

    studies: Mapping[str, Study]
    arms: Mapping[str, Arm]
    base: Base
    spec: Spec | None

    def registered(self) -> dict[str, str]:
        """Return the registration of each study, by name."""
        return registrations(self.studies.values(), self.arms, self.base)


def on_miniatures() -> Setting:
    """Return the setting of the lab's miniature."""
    return Setting(
        studies=studies_of(MINIATURE),
        arms=arms_of(MINIATURE),
        base=miniature_base(Spec()),
        spec=Spec(),
    )


def on_recipe(path: Path, overrides: Sequence[str]) -> Setting:
    """Return the setting of a recipe, with the report's own numbers."""
    return Setting(
        studies=studies_of(REPORT),
        arms=arms_of(REPORT),
        base=recipe_base(path, overrides),
        spec=None,
    )
