"""The answer of the lab as a table in Markdown: the claims that decide studies, by world. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reasonrl.studies.claims import Claim, Study
from reasonrl.studies.forest import power_so_far
from reasonrl.studies.verdicts import ClaimOutcome, ClaimVerdict, StudyResult, paired_seeds
from reasonrl.studies.words import difference_words

_UNDECIDED = "undecided"
_DECIDED = (ClaimOutcome.REPRODUCED, ClaimOutcome.NOT_REPRODUCED)


def answer_table(results: Sequence[StudyResult], studies: Iterable[Study]) -> str:
    """Return a row for each headline claim, with its verdict and difference in each world.

    There are rows for those of `studies` that the report has, run or not, and that were run.
    """
    worlds = list(dict.fromkeys(result.world for result in results))
    found = {(result.study.name, result.world): result for result in results}
    run = {name for name, _ in found}
    lines = [_row(["study", "claim", *(world or "verdict" for world in worlds)])]
    lines.append("|" + "---|" * (2 + len(worlds)))
    for study in (study for study in studies if study.is_reports or study.name in run):
        first = f"**{study.name}**, {study.where}"
        for claim in (claim for claim in study.claims if claim.is_headline):
            cells = [_cell(found.get((study.name, world)), claim) for world in worlds]
            lines.append(_row([first, claim.text, *cells]))
            first = ""
    return "\n".join(lines) + "\n"


def decided(results: Sequence[StudyResult], studies: Iterable[Study]) -> list[str]:
    """Return how many of the report's `studies` and their headline claims are decided, by world.

    A claim is decided when it has all seeds of its study, and a verdict that is yes or no.
    """
    wanted = [study for study in studies if study.is_reports]
    n_claims = sum(claim.is_headline for study in wanted for claim in study.claims)
    names = {study.name for study in wanted}
    told = []
    whole: list[set[str]] = []
    for world in dict.fromkeys(result.world for result in results):
        here = [one for one in results if one.world == world and one.study.name in names]
        claims = {one.study.name: _decided(one) for one in here}
        whole.append({name for name, of_study in claims.items() if all(of_study)})
        told.append(
            f"{world or 'here'}: {sum(map(sum, claims.values()))} of {n_claims} starred claims "
            f"and {len(whole[-1])} of {len(wanted)} studies are decided with all their seeds"
        )
    if len(whole) > 1:
        told.append(f"in every world: {len(set.intersection(*whole))} of {len(wanted)} studies")
    return told


def _decided(result: StudyResult) -> list[bool]:
    headlines = [verdict for verdict in result.verdicts if verdict.claim.is_headline]
    return [one.outcome in _DECIDED and is_whole(result, one) for one in headlines]


def is_whole(result: StudyResult, verdict: ClaimVerdict) -> bool:
    """Return whether a claim has all seeds that its study asks for."""
    return len(paired_seeds(verdict.claim, result.records)) >= result.study.seeds


def _cell(result: StudyResult | None, claim: Claim) -> str:
    if result is None:
        return "not run"
    # The claims of two worlds differ in the names of arms at most.
    [verdict] = [one for one in result.verdicts if one.claim.text == claim.text]
    if verdict.outcome in (ClaimOutcome.VOID, ClaimOutcome.MISSING):
        return f"{verdict.outcome}: {verdict.why}"
    word, n = _word(verdict), len(verdict.seeds)
    if not is_whole(result, verdict):
        return f"so far {word}: {difference_words(verdict)}, {n} of {result.study.seeds} seeds"
    needed = _needed(result, verdict) if word == _UNDECIDED else ""
    return f"**{word}**{needed}: {difference_words(verdict)}, {n} seeds"


def _word(verdict: ClaimVerdict) -> str:
    if verdict.outcome is ClaimOutcome.REPRODUCED:
        return "yes"
    if verdict.outcome is ClaimOutcome.NOT_REPRODUCED:
        return f"no, {verdict.why}"
    return _UNDECIDED


def _needed(result: StudyResult, verdict: ClaimVerdict) -> str:
    """Return how many seeds might decide a claim that all its seeds do not decide."""
    power = power_so_far(result, verdict)
    if power is None:
        return ""
    needed = power.needed_as_seen
    if needed is None:
        return ", more than 1000 seeds might do"
    return ", near a bound" if needed <= len(verdict.seeds) else f", {needed} seeds might do"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
