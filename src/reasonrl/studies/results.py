"""The results of studies so far: verdicts and costs, as records, JSON and a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path

from reasonrl import __version__
from reasonrl.atomic import write_atomic
from reasonrl.studies.claims import Study
from reasonrl.studies.page import render_study_page
from reasonrl.studies.runs import Job, read_records
from reasonrl.studies.verdicts import ClaimVerdict, StudyResult, judge_study, overall

VERDICTS, PAGE = "verdicts.json", "study.html"


def results_of(studies: Iterable[Study], jobs: Sequence[Job]) -> list[StudyResult]:
    """Judge the studies that have a claim with finished runs among the jobs."""
    records = read_records(jobs)
    known = {job.arm.name: job.arm for job in jobs}
    results = []
    for study in studies:
        verdicts = judge_study(study, records)
        if not any(verdict.seeds for verdict in verdicts):
            continue
        results.append(
            StudyResult(
                study=study,
                outcome=overall(verdicts),
                verdicts=verdicts,
                arms=[known[name] for name in study.arms if name in known],
                records={key: run for key, run in records.items() if key[0] in study.arms},
                pages={(job.arm.name, job.seed): job.page for job in jobs if job.is_finished},
            )
        )
    return results


def write_results(results: Sequence[StudyResult], out: Path) -> Path:
    """Write verdicts.json and the page; return the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    whole = {"reasonrl": __version__, "studies": [_plain(result) for result in results]}
    write_atomic(out / VERDICTS, json.dumps(whole, indent=1) + "\n")
    write_atomic(out / PAGE, render_study_page(results))
    return out / PAGE


def _plain(result: StudyResult) -> dict[str, object]:
    return {
        "name": result.study.name,
        "where": result.study.where,
        "question": result.study.question,
        "outcome": str(result.outcome),
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
