"""Which seeds a directory of kept results has already, so that they are not made again. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from reasonrl.studies.claims import Study
from reasonrl.studies.kept import KeptRun
from reasonrl.studies.record import RunOrigin
from reasonrl.studies.setting import StudySetting


def made_seeds(
    setting: StudySetting,
    kept: Iterable[KeptRun],
    *,
    studies: Sequence[Study],
    wanted: Mapping[str, int],
    first_seed: int,
) -> set[int]:
    """Return the seeds whose wanted arms one commit on one machine has made for these studies.

    `wanted` holds the arms and the number of seeds of each. A seed that is there in part is made
    whole again, because arms of two commits are no pair. So is a seed with another registration.
    """
    registered = setting.registered()
    arms: dict[tuple[int, RunOrigin], set[str]] = defaultdict(set)
    for run in kept:
        names = [study.name for study in studies if run.arm in study.arms]
        is_fitting = all(run.registered.get(name) == registered.get(name) for name in names)
        if run.world == setting.world and run.record.origin.is_repeatable and is_fitting:
            arms[run.seed, run.record.origin].add(run.arm)
    return {
        seed
        for (seed, _), made in arms.items()
        if made >= {arm for arm, n in wanted.items() if seed < first_seed + n}
    }
