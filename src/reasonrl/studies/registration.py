"""The registration of a study: one hash of what was fixed before its runs.

It covers the study's claims (arms, measures, margins, stars), its seeds and the recipes of its
arms. A result carries it, so that a result made before a margin was moved is not judged by the
margin of today. Words may be changed: titles, questions and notes are not part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from reasonrl.errors import ConfigError
from reasonrl.models.fetch import cache_dir
from reasonrl.studies.arm import Arm
from reasonrl.studies.bases import Base
from reasonrl.studies.claims import Claim, Study

RULE = 1
"""The version of what the hash does not see: the rule of verdicts, how runs of different length are
cut, how measures compute, and the defaults of recipes. A change of these that moves a number of
`tests/unit/studies/test_rule.py` needs a higher version."""


def registrations(
    studies: Iterable[Study], arms: Mapping[str, Arm], base: Base, first_seed: int
) -> dict[str, str]:
    """Return the registration of each study, by the study's name.

    A study is left out if the base lacks the problems of one of its arms.
    """
    found = {}
    for study in studies:
        try:
            recipes = {name: _recipe(arms[name], base) for name in study.arms}
        except ConfigError:
            continue
        fixed: dict[str, object] = {
            "claims": [_claim(one) for one in study.claims],
            "recipes": recipes,
            "seeds": [first_seed, study.seeds],
        }
        if RULE > 1:
            fixed["rule"] = RULE
        text = json.dumps(fixed, sort_keys=True)
        found[study.name] = hashlib.sha256(text.encode()).hexdigest()[:12]
    return found


def _recipe(arm: Arm, base: Base) -> str:
    """Return what an arm's recipe sets, as text, without what depends on the machine.

    Defaults are left out, so that a setting which recipes learn later changes no registration.
    """
    table = base(arm, 0).model_dump(mode="json", exclude_defaults=True)
    return json.dumps(table, sort_keys=True).replace(str(cache_dir()), "")


def _claim(claim: Claim) -> dict[str, object]:
    return {
        "arm": claim.arm,
        "sign": str(claim.sign),
        "other": claim.other,
        "level": claim.level,
        "measure": claim.measure.name,
        "what": claim.measure.what,
        "margin": claim.within,
        "at": str(claim.at),
        "is_headline": claim.is_headline,
        "is_about_clipping": claim.is_about_clipping,
    }
