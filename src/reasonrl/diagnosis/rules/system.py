"""What runs the steps: the verifier, the sampler beside the learner."""

from __future__ import annotations

from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History
from reasonrl.diagnosis.rules.spans import ROW


def verifier_fails(history: History) -> RunFinding | None:
    """Find a verifier, or reward components, that cannot judge a part of the rollouts."""
    failed, sampled = history.mean("rollout/failed", ROW), history.mean("rollout/sampled", ROW)
    signs = [bool(value) for value in history.series("rollout/failed")]
    since = history.since(signs, n=ROW)
    if since is None or not failed or not sampled or failed <= 0.05 * sampled:
        return None
    return RunFinding(
        rule="verifier-fails",
        since_step=since,
        message=f"{failed / sampled:.0%} of the rollouts could not be judged and are masked",
        cause="verifications time out on a busy machine, or a reward component has no value",
        key="verify.deadline_s",
        value=f"{2 * history.recipe.verify.deadline_s:g}",
        evidence={"failed": failed, "sampled": sampled},
        rollouts=history.step(-1),
    )


def apart(history: History) -> RunFinding | None:
    """Find a sampler that computes another policy than the learner."""
    signs = [(value or 0.0) > 0.1 for value in history.series("update/gap_mean")]
    since = history.since(signs, n=ROW)
    if history.recipe.pipeline is not None or since is None:
        return None
    gap = history.mean("update/gap_mean", ROW) or 0.0
    return RunFinding(
        rule="sampler-apart",
        since_step=since,
        message=f"sampler and learner give a token log-probabilities {gap:.2g} nats apart",
        cause="more than rounding lies between them: they run other weights or another function",
        key="engine.compute",
        value="float32",
        evidence={"mean gap": gap},
        rollouts=history.step(-1),
    )
