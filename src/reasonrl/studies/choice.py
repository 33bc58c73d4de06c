"""Which studies and arms a command is about, from the names that a person wrote. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from reasonrl.errors import ConfigError
from reasonrl.studies.claims import Study

REPORT = "report"
"""The name of all studies that the report has."""


def studies_named(
    names: Sequence[str], catalog: Mapping[str, Study], *, every: bool = False
) -> list[Study]:
    """Return the studies of some names, or `every` study; `report` names all that the report has.

    Raises ConfigError for a name that the catalog does not have.
    """
    studies: dict[str, Study] = {}
    for name in names:
        if name == REPORT:
            studies |= {one.name: one for one in catalog.values() if one.is_reports}
        else:
            studies[name] = _known(name, catalog)
    return list(catalog.values() if every else studies.values())


def _known(name: str, catalog: Mapping[str, Study]) -> Study:
    if name not in catalog:
        near = difflib.get_close_matches(name, catalog, n=1, cutoff=0.4)
        raise ConfigError(
            f"no study {name!r}",
            expected="one of " + ", ".join((*catalog, REPORT)),
            remedy=f"did you mean {near[0]}?" if near else "",
        )
    return catalog[name]


def wanted_arms(
    studies: Sequence[Study],
    *,
    only: str | None = None,
    seeds: int | None = None,
    is_starred: bool = False,
) -> dict[str, int]:
    """Return the arms of studies, each with the largest number of seeds that a study asks for.

    `only` names some of the arms, separated by commas; `seeds` replaces the studies' own numbers;
    with `is_starred` a study has the arms of its headline claims alone. Raises ConfigError for an
    arm that is not among them.
    """
    wanted: dict[str, int] = {}
    for study in studies:
        for name in study.deciding_arms if is_starred else study.arms:
            wanted[name] = max(wanted.get(name, 0), seeds or study.seeds)
    if only is None:
        return wanted
    for name in (chosen := only.split(",")):
        if name not in wanted:
            raise ConfigError(f"--arms {name}", expected="some of " + ", ".join(wanted))
    return {name: wanted[name] for name in chosen}
