"""The results of studies so far: verdicts and costs, as records, JSON and a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path

from reasonrl import __version__
from reasonrl.atomic import write_atomic
from reasonrl.studies.answer import answer_table
from reasonrl.studies.claims import Study
from reasonrl.studies.forest import forest_picture
from reasonrl.studies.kept import KeptRun
from reasonrl.studies.page import render_study_page
from reasonrl.studies.record import RunOrigin, RunRecord
from reasonrl.studies.setting import StudySetting
from reasonrl.studies.verdicts import (
    ClaimVerdict,
    Records,
    StudyResult,
    judge_study,
    overall,
    paired_seeds,
)

VERDICTS, ANSWER = "verdicts.json", "answer.md"
PAGE, PICTURE = "study.html", "forest.svg"


def results_of(
    setting: StudySetting, records: Records, pages: Mapping[tuple[str, int], str]
) -> list[StudyResult]:
    """Judge the studies that have a claim with finished runs; `pages` as in `StudyResult`."""
    registered = setting.registered()
    found = (
        _result(setting, study, records, registered, pages) for study in setting.studies.values()
    )
    return [result for result in found if result is not None]


def results_of_kept(
    setting: StudySetting, kept: Sequence[KeptRun]
) -> tuple[list[StudyResult], list[str]]:
    """Judge studies by the kept runs of their world; also return notes on runs left out or lacking.

    A study is judged by the runs that carry its registration of today (`registration`) and have one
    of its seeds. Runs of changed code are refused, because nobody could repeat them.
    """
    registered = setting.registered()
    here = [run for run in kept if run.world == setting.world]
    repeatable = [run for run in here if run.record.origin.is_repeatable]
    results, notes, lacking = [], [], []
    if n := len(here) - len(repeatable):
        notes.append(f"{n} runs were made by code that is in no commit; they are left out")
    for name, study in setting.studies.items():
        of_study = [run for run in repeatable if name in run.registered]
        seeds = range(setting.first_seed, setting.first_seed + study.seeds)
        fitting = [run for run in of_study if run.registered[name] == registered.get(name)]
        records = _of_one_origin([run for run in fitting if run.seed in seeds], study)
        notes += _left_out(study, of_study, registered.get(name, ""), seeds)
        if (result := _result(setting, study, records, registered, {})) is not None:
            results.append(result)
            if (whole := _whole_seeds(study, records)) < study.seeds:
                lacking.append(f"{name} {whole} of {study.seeds}")
    if lacking:
        world = f" in {setting.world}" if setting.world else ""
        notes.append(
            f"seeds that are there{world}: {', '.join(lacking)}; these verdicts may still change"
        )
    return results, notes


def _left_out(
    study: Study, runs: Sequence[KeptRun], registration: str, seeds: range
) -> Iterator[str]:
    """Yield a sentence for each reason why runs of a study are not judged."""
    fitting = [run for run in runs if run.registered[study.name] == registration]
    if n := len(runs) - len(fitting):
        yield (
            f"{study.name}: {n} runs were made for other claims, margins or arms than those of "
            "this version; they are left out"
        )
    if fitting and not any(run.seed in seeds for run in fitting):
        yield f"{study.name}: no run has a seed from {seeds[0]} to {seeds[-1]}, which decide"


def _of_one_origin(runs: Sequence[KeptRun], study: Study) -> Records:
    """Return the runs of each seed from one commit and machine: from the most complete one.

    The first in the order of their names decides between equals, so that no result can.
    """
    by_seed: dict[int, dict[RunOrigin, dict[str, RunRecord]]] = {}
    for run in runs:
        by_origin = by_seed.setdefault(run.seed, {})
        by_origin.setdefault(run.record.origin, {})[run.arm] = run.record
    records: dict[tuple[str, int], RunRecord] = {}
    deciding = set(study.deciding_arms)
    for seed, by_origin in by_seed.items():
        ordered = sorted(by_origin.items(), key=lambda one: (one[0].commit, one[0].machine))
        _, best = max(ordered, key=lambda one: (len(one[1].keys() & deciding), len(one[1])))
        records |= {(arm, seed): record for arm, record in best.items()}
    return records


def _whole_seeds(study: Study, records: Records) -> int:
    """Return the number of seeds that have a pair for every headline claim."""
    headlines = [claim for claim in study.claims if claim.is_headline]
    return len(set.intersection(*(set(paired_seeds(claim, records)) for claim in headlines)))


def kept_runs(setting: StudySetting, records: Records, here: RunOrigin) -> list[KeptRun]:
    """Return what is kept of the finished runs that this code made on this machine, `here`.

    A run carries what was registered when it was made; other code may have moved a margin since.
    """
    registered = setting.registered()
    users = [(name, study.arms) for name, study in setting.studies.items() if name in registered]
    return [
        KeptRun(
            world=setting.world,
            arm=arm,
            seed=seed,
            record=record,
            registered={name: registered[name] for name, arms in users if arm in arms},
        )
        for (arm, seed), record in records.items()
        if record.origin == here
    ]


def _result(
    setting: StudySetting,
    study: Study,
    records: Records,
    registered: Mapping[str, str],
    pages: Mapping[tuple[str, int], str],
) -> StudyResult | None:
    """Judge a study; None if no claim of it has a pair of finished runs."""
    verdicts = judge_study(study, records)
    if not any(verdict.seeds for verdict in verdicts):
        return None
    return StudyResult(
        study=study,
        world=setting.world,
        outcome=overall(verdicts),
        verdicts=verdicts,
        arms=[setting.arms[name] for name in study.arms if name in setting.arms],
        records={key: run for key, run in records.items() if key[0] in study.arms},
        registration=registered.get(study.name, ""),
        pages=pages,
    )


def write_results(results: Sequence[StudyResult], studies: Iterable[Study], out: Path) -> Path:
    """Write verdicts.json, answer.md, the picture of all claims and the page; return its path.

    `studies` are those that the answer may have rows for (`answer_table`).
    """
    out.mkdir(parents=True, exist_ok=True)
    whole = {"reasonrl": __version__, "studies": [_plain(result) for result in results]}
    write_atomic(out / VERDICTS, json.dumps(whole, indent=1) + "\n")
    write_atomic(out / ANSWER, answer_table(results, studies))
    write_atomic(out / PICTURE, forest_picture(results))
    write_atomic(out / PAGE, render_study_page(results))
    return out / PAGE


def _plain(result: StudyResult) -> dict[str, object]:
    return {
        "name": result.study.name,
        "world": result.world,
        "where": result.study.where,
        "question": result.study.question,
        "outcome": str(result.outcome),
        "registration": result.registration,
        "claims": [_plain_verdict(verdict) for verdict in result.verdicts],
    }


def _plain_verdict(verdict: ClaimVerdict) -> dict[str, object]:
    claim = verdict.claim
    return {
        "text": claim.text,
        "outcome": str(verdict.outcome),
        "why": verdict.why,
        "headline": claim.is_headline,
        "measure": claim.measure.name,
        "what": claim.measure.what,
        "arm": claim.arm,
        "sign": str(claim.sign),
        "other": claim.other,
        "level": claim.level,
        "margin": claim.within,
        "at": str(claim.at),
        "seeds": verdict.seeds,
        "values": [_finite(value) for value in verdict.values],
        "others": [_finite(value) for value in verdict.others],
        "mean": verdict.mean,
        "ci95": verdict.ci95,
    }


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
