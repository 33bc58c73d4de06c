"""A scale of seconds, and runs that were never made."""

from dataclasses import replace

from reasonrl.studies.record import HELDOUT, EvaluationScore, RunOrigin, RunRecord
from reasonrl.studies.scales import MINIATURE

SMALL = replace(
    MINIATURE, steps=4, prompts=16, group=16, limit=6, first_limit=4, learning_rate=2e-3
)


HERE = RunOrigin(commit="0123456789ab", machine="a processor, torch 2")


def evaluation(step, score, suite=HELDOUT, *, k=1, right=()):
    return EvaluationScore(suite=suite, step=step, value=score, k=k, right_P=tuple(right))


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
    return RunRecord(rows=rows, evaluations=found, origin=HERE)
