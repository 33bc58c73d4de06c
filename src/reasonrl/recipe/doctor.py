"""What the doctor may do with a run: the names of its rules, and those that end a run."""

from __future__ import annotations

from typing import Literal

from reasonrl.recipe.sources import Strict

RuleName = Literal[
    "wrong-rewarded", "policy-broken", "accuracy-falls", "entropy-collapse", "entropy-falls",
    "entropy-explosion", "reward-hacked", "length-grows", "length-shrinks", "one-answer",
    "never-ends", "truncated", "all-solved", "none-solved", "reward-flat", "no-answer-read",
    "few-groups", "open-thoughts", "gradient-spike", "verifier-fails", "sampler-apart", "stale",
    "data-exhausted", "duplicated-prompts", "noisy-evaluation", "nothing-moves", "no-gain",
    "dead-setting", "stage-too-long", "stage-too-short", "slow-phase", "memory-grows", "disk-fills",
]  # fmt: skip
"""The rules of `reasonrl.diagnosis.rules`; docs/doctor.md explains each."""


class DoctorConfig(Strict):
    """What the doctor may do beside saying what it finds."""

    stop_on: tuple[RuleName, ...] = ()
    """Rules whose finding ends the run, with a checkpoint."""
