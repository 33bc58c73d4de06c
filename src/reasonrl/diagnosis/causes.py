"""One cause for what a step shows: consequences name the finding that they follow from.

A policy that is lost solves nothing, so hardly a group has a signal, and rollouts run on until they
are cut off. Each rule is right, and its cure is not: the first cause has the cure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.suspects import Suspect

_LOST = ("wrong-rewarded", "reward-hacked", "entropy-explosion", "policy-broken", "accuracy-falls")
"""Rules that find a policy on its way to ruin, those that know more of the cause first."""

_CUT = ("truncated", "never-ends")
_ROOTS = (*_LOST, *_CUT)

_AFTER_A_LOSS = frozenset({
    "policy-broken", "length-grows", "length-shrinks", "never-ends", "truncated", "none-solved",
    "no-answer-read", "few-groups", "open-thoughts", "gradient-spike",
})  # fmt: skip
_AFTER_A_CUT = frozenset({"none-solved", "few-groups"})

_GENERAL = frozenset({"accuracy-falls", "no-gain"})
"""Rules that are silent where another grave finding, or a still policy, says more."""


def with_causes(found: Sequence[RunFinding], suspects: Sequence[Suspect]) -> list[RunFinding]:
    """Return the findings of a step with the first cause of each.

    A general finding is left out where a grave finding says more. A consequence names the rule that
    it follows from and has no cure of its own. A guess names the first suspect before its own.
    """
    known = {one.rule for one in found if one.is_grave or one.rule == "nothing-moves"}
    said = [one for one in found if one.rule not in _GENERAL or known <= {one.rule}]
    return [_folded(one, said) or _explained(one, suspects) for one in said]


def _folded(finding: RunFinding, found: Sequence[RunFinding]) -> RunFinding | None:
    """Return a consequence without a cure of its own, None for a finding with its own cause."""
    roots = [
        one
        for one in found
        if finding.rule in _consequences(one.rule) and one.since_step <= finding.since_step
    ]
    if not roots:
        return None
    root = min(roots, key=lambda one: _ROOTS.index(one.rule))
    return replace(
        finding,
        cause=f"it follows from {root.rule} since step {root.since_step}",
        key="",
        value="",
        follows=root.rule,
    )


def _consequences(root: str) -> frozenset[str]:
    if root in _CUT:
        return _AFTER_A_CUT
    return _AFTER_A_LOSS - {root} if root in _LOST else frozenset()


def _explained(finding: RunFinding, suspects: Sequence[Suspect]) -> RunFinding:
    first = next((one for one in suspects if finding.rule in one.explains), None)
    if first is None:
        return finding
    cause = f"{first.words}; if not that, {finding.cause}"
    if not first.key:
        return replace(finding, cause=cause)
    return replace(finding, cause=cause, key=first.key, value=first.value)
