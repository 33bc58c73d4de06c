"""The answer of the lab as a table in Markdown: the claims that decide studies, by world. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.studies.claims import Claim
from reasonrl.studies.forest import power_so_far
from reasonrl.studies.verdicts import ClaimOutcome, StudyResult
from reasonrl.studies.words import difference_words

_NO = {
    "the opposite": "no, the opposite",
    "within the margin of 0": "no difference",
    "beyond the margin": "no, they differ",
}
"""What to say where a claim is not reproduced, by the verdict's reason."""


def answer_table(results: Sequence[StudyResult]) -> str:
    """Return a row for each headline claim, with the verdict and the difference in each world."""
    worlds = list(dict.fromkeys(result.world for result in results))
    found = {(result.study.name, result.world): result for result in results}
    studies = {result.study.name: result.study for result in results}
    lines = [_row(["study", "claim", *(world or "verdict" for world in worlds)])]
    lines.append("|" + "---|" * (2 + len(worlds)))
    for study in studies.values():
        first = f"**{study.name}**, {study.where}"
        for claim in (claim for claim in study.claims if claim.is_headline):
            cells = [_cell(found.get((study.name, world)), claim) for world in worlds]
            lines.append(_row([first, claim.text, *cells]))
            first = ""
    return "\n".join(lines) + "\n"


def decided(results: Sequence[StudyResult]) -> list[str]:
    """Return how many of the report's claims and studies are decided, a sentence for each world."""
    reports = [result for result in results if result.study.is_reports]
    told = []
    whole: list[set[str]] = []
    for world in dict.fromkeys(result.world for result in reports):
        here = {one.study.name: _decided(one) for one in reports if one.world == world}
        whole.append({name for name, claims in here.items() if all(claims)})
        claims = [is_decided for claims in here.values() for is_decided in claims]
        told.append(
            f"{world or 'decided'}: {sum(claims)} of {len(claims)} starred claims are decided, and "
            f"{len(whole[-1])} of {len(here)} of the report's studies"
        )
    if len(whole) > 1:
        told.append(f"decided in every world: {len(set.intersection(*whole))} of these studies")
    return told


def _decided(result: StudyResult) -> list[bool]:
    decisive = (ClaimOutcome.REPRODUCED, ClaimOutcome.NOT_REPRODUCED)
    return [one.outcome in decisive for one in result.verdicts if one.claim.is_headline]


def _cell(result: StudyResult | None, claim: Claim) -> str:
    if result is None:
        return "not run"
    # The claims of two worlds differ in the names of arms at most.
    [verdict] = [one for one in result.verdicts if one.claim.text == claim.text]
    if verdict.outcome is ClaimOutcome.REPRODUCED:
        word = "yes"
    elif verdict.outcome is ClaimOutcome.NOT_REPRODUCED:
        word = _NO[verdict.why]
    elif verdict.outcome is ClaimOutcome.INCONCLUSIVE:
        power = power_so_far(result, verdict)
        needed = None if power is None else power.needed_as_seen
        word = f"undecided, {needed or 'over 1000'} seeds would" if power else "undecided"
    else:
        return f"{verdict.outcome}: {verdict.why}"
    return f"**{word}**: {difference_words(verdict)}, {len(verdict.seeds)} seeds"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
