"""The rules: each looks at the steps so far and says what is wrong now, or nothing.

Their numbers are constants with a reason. They were chosen on planted runs whose onsets were fixed
before (benchmarks/sickness.py), and scored on others (docs/doctor.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History
from reasonrl.diagnosis.rules.data import data_exhausted, duplicated_prompts, noisy_evaluation
from reasonrl.diagnosis.rules.gain import no_gain
from reasonrl.diagnosis.rules.gaming import length_gamed, one_answer, reward_hacked, wrong_rewarded
from reasonrl.diagnosis.rules.policy import (
    accuracy_falls,
    entropy_collapse,
    entropy_explosion,
    gradient_spike,
    policy_broken,
)
from reasonrl.diagnosis.rules.settings import dead_setting, nothing_moves, stage_border
from reasonrl.diagnosis.rules.signal import few_groups, no_signal, truncated
from reasonrl.diagnosis.rules.system import (
    apart,
    disk_fills,
    memory_grows,
    never_ends,
    open_thoughts,
    slow_phase,
    stale,
    verifier_fails,
)

Rule: TypeAlias = Callable[[History], RunFinding | None]

RULES: tuple[Rule, ...] = (
    wrong_rewarded,
    policy_broken,
    entropy_collapse,
    entropy_explosion,
    reward_hacked,
    length_gamed,
    one_answer,
    accuracy_falls,
    never_ends,
    truncated,
    no_signal,
    few_groups,
    open_thoughts,
    gradient_spike,
    verifier_fails,
    apart,
    stale,
    data_exhausted,
    duplicated_prompts,
    noisy_evaluation,
    nothing_moves,
    no_gain,
    dead_setting,
    stage_border,
    slow_phase,
    memory_grows,
    disk_fills,
)
"""All rules, the gravest first."""
