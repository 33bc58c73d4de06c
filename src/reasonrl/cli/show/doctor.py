"""Show what is wrong with a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reasonrl.terminal import Console

if TYPE_CHECKING:
    from reasonrl.run.prescriptions import Prescription


def show_prescriptions(console: Console, found: Sequence[Prescription]) -> None:
    """Print each finding: what, why, the numbers, the rollouts, the command."""
    for number, each in enumerate(found, start=1):
        finding = each.finding
        grave = ", the steps after it are wasted" if finding.is_grave else ""
        console.note(f"{number}. {finding.message} (since step {finding.since_step}{grave})")
        console.note(f"   cause: {finding.cause}")
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in finding.evidence.items())
        console.note(f"   numbers: {numbers}")
        if each.rollouts:
            console.note(f"   rollouts: {each.rollouts}")
        if each.command:
            console.note(f"   cure: {each.command}")


def as_json(each: Prescription) -> str:
    """Return a finding as one line of JSON."""
    finding = each.finding
    return json.dumps(
        {
            "rule": finding.rule,
            "since_step": finding.since_step,
            "follows": finding.follows,
            "message": finding.message,
            "cause": finding.cause,
            "key": finding.key,
            "value": finding.value,
            "evidence": dict(finding.evidence),
            "rollouts": each.rollouts,
            "command": each.command,
        }
    )
