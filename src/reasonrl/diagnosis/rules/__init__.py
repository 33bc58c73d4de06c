"""The rules: each looks at the steps so far and says what is wrong now, or nothing.

Their numbers are constants with a reason; none was fitted to runs yet (docs/doctor.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History
from reasonrl.diagnosis.rules.policy import (
    entropy_collapse,
    entropy_explosion,
    gradient_spike,
    policy_broken,
)
from reasonrl.diagnosis.rules.signal import few_groups, no_signal, truncated
from reasonrl.diagnosis.rules.system import apart, verifier_fails

Rule: TypeAlias = Callable[[History], RunFinding | None]

RULES: tuple[Rule, ...] = (
    policy_broken,
    entropy_collapse,
    entropy_explosion,
    truncated,
    no_signal,
    few_groups,
    gradient_spike,
    verifier_fails,
    apart,
)
"""All rules, the gravest first."""
