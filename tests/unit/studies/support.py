"""A scale of seconds, and runs that were never made."""

from dataclasses import replace

from reasonrl.algo.stats import Estimate
from reasonrl.evaluation.score import SuiteResult
from reasonrl.studies.record import HELDOUT, RunRecord
from reasonrl.studies.scales import MINIATURE

SMALL = replace(
    MINIATURE, steps=4, prompts=16, group=16, limit=6, first_limit=4, learning_rate=2e-3
)


def evaluation(step, score, suite=HELDOUT):
    return SuiteResult(
        suite=suite, step=step, accuracy=Estimate(value=score, ci95=(0.0, 1.0)),
        accuracy_finished=score, truncated_share=0.0, mean_tokens=5.0, n_problems=4, k=1,
        temperature=1.0, max_new_tokens=9, failed=0,
    )  # fmt: skip


def run(entropies, scores=None, *, updates=1, sampled=8, **columns):
    """A run with these entropies, one a step, and scores by step."""
    rows = [
        {
            "step": step,
            "entropy/nats": nats,
            "update/n": updates,
            "rollout/sampled": sampled,
            **{name.replace("__", "/"): values[step - 1] for name, values in columns.items()},
        }
        for step, nats in enumerate(entropies, start=1)
    ]
    found = [evaluation(step, score) for step, score in (scores or {}).items()]
    return RunRecord(rows=rows, evaluations=found)
