"""What runs the steps: verifier, sampler beside learner, template, time, memory, disk."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from reasonrl.diagnosis.finding import RunFinding
from reasonrl.diagnosis.history import History
from reasonrl.diagnosis.rules.spans import ANSWERED, LONG_ROW, ROW

_FAR_NATS = 0.1
"""Nats a token between sampler and learner that no rounding makes."""

_SLOWER = 3.0
"""How much slower than its own past a phase must be."""

_PHASES = {
    "time/rollout_s": ("sampling", "engine.max_rows"),
    "time/update_s": ("the update", ""),
    "time/sync_s": ("sending weights to the sampler", ""),
    "time/verdict_s": ("a verdict", "verify.workers"),
}

_LEAK = 1.2
"""Growth of the memory in twenty steps that is no longer a cache that fills."""


def verifier_fails(history: History) -> RunFinding | None:
    """Find a verifier, or reward components, that cannot judge a part of the rollouts."""
    failed, sampled = history.mean("rollout/failed", ROW), history.mean("rollout/sampled", ROW)
    since = history.since("rollout/failed", sign=bool, n=ROW)
    if since is None or not failed or not sampled or failed <= 0.05 * sampled:
        return None
    masked = {
        component.label: history.mean(f"reward/{component.label}/masked", ROW) or 0.0
        for component in history.recipe.reward
    }
    worst = max(masked, key=lambda name: masked[name], default="")
    is_component = bool(worst) and masked[worst] > failed / 2
    return RunFinding(
        rule="verifier-fails",
        since_step=since,
        message=f"{failed / sampled:.0%} of the rollouts could not be judged and are masked",
        cause=f"the reward component {worst} gives no value; its notes in the rollouts say why"
        if is_component
        else "verifications time out on a busy machine",
        key="" if is_component else "verify.deadline_s",
        value="" if is_component else f"{2 * history.recipe.verify.deadline_s:g}",
        evidence={"failed": failed, "sampled": sampled},
        rollouts=history.step(-1),
    )


def apart(history: History) -> RunFinding | None:
    """Find a sampler that computes another policy than the learner."""
    since = _far_since(history)
    if history.recipe.ahead is not None or since is None:
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


def _far_since(history: History) -> int | None:
    """Return the first step since which sampler and learner are far apart, None if they are not."""
    return history.since("update/gap_mean", sign=lambda gap: (gap or 0.0) > _FAR_NATS, n=ROW)


def stale(history: History) -> RunFinding | None:
    """Find rollouts of a pipeline that are too old for the updates made from them."""
    pipeline = history.recipe.ahead
    since = _far_since(history)
    if pipeline is None or since is None:
        return None
    behind, gap = history.mean("stale/mean_updates", ROW), history.mean("update/gap_mean", ROW)
    return RunFinding(
        rule="stale",
        since_step=since,
        message=f"rollouts are {behind or 0:.1f} updates old, and their policy is {gap or 0:.2g} "
        "nats a token from the one that learns",
        cause="sampling runs too far ahead of the updates, or updates are too large",
        key="pipeline.staleness",
        value=str(max(1, pipeline.staleness // 2)),
        evidence={"updates behind": behind or 0.0, "mean gap": gap or 0.0},
        rollouts=history.step(-1),
    )


def open_thoughts(history: History) -> RunFinding | None:
    """Find responses that end by themselves inside a thought."""
    since = history.since(
        "rollout/open_thought_share",
        "rollout/truncated_share",
        sign=lambda opened, cut_off: (opened or 0.0) - (cut_off or 0.0) > 0.2,
        n=ROW,
    )
    if since is None:
        return None
    share = history.mean("rollout/open_thought_share", ROW) or 0.0
    return RunFinding(
        rule="open-thoughts",
        since_step=since,
        message=f"{share:.0%} of the rollouts begin a thought and end without closing it",
        cause="the template opens a thought that the model does not know, or its marks are other "
        'words: name them with model.thought_marks = ["BEGIN", "END"]',
        evidence={
            "open thoughts": share,
            "truncated share": history.mean("rollout/truncated_share", ROW) or 0.0,
        },
        rollouts=history.step(-1),
    )


def slow_phase(history: History) -> RunFinding | None:
    """Find a phase that has become much slower than it was in this stage."""
    begun = history.stage_start
    if history.n - begun < 3 * LONG_ROW:
        return None
    tokens = history.mean("rollout/mean_tokens", LONG_ROW) or 1.0
    usual_tokens = history.usual("rollout/mean_tokens", before=LONG_ROW) or tokens
    for key, (name, setting) in _PHASES.items():
        now = history.last(key, LONG_ROW)
        before = history.columns[key][max(begun, history.n - 25) : history.n - LONG_ROW]
        known = [value for value in before if value is not None]
        if len(now) < LONG_ROW or not known:
            continue
        usual, slow = median(known), median(now)
        growth = max(1.0, tokens / usual_tokens) if key != "time/verdict_s" else 1.0
        if slow < 0.5 or slow < _SLOWER * growth * max(usual, 0.05):
            continue
        return RunFinding(
            rule="slow-phase",
            since_step=history.step(-LONG_ROW),
            message=f"{name} takes {slow:.1f} s and took {usual:.1f} s before",
            cause=_slow_cause(history)
            + (f"; {setting} bounds what runs at once" if setting else ""),
            evidence={"seconds": slow, "seconds before": usual},
        )
    return None


def _slow_cause(history: History) -> str:
    """Return why a phase is slow: the threads that were chosen tell of other programs."""
    now = history.last("time/threads", LONG_ROW)
    before = history.usual("time/threads", before=LONG_ROW)
    if now and before and median(now) < before:
        return f"other programs take the cores: {median(now):.0f} of {before:.0f} threads are left"
    return "another program uses the machine, or something hangs"


def memory_grows(history: History) -> RunFinding | None:
    """Find a memory that grows step by step without an end."""
    peaks = history.last("memory/peak_rss_mb", 20)
    if history.n - history.stage_start < 30 or len(peaks) < 20:
        return None
    rises = sum(after > before for before, after in pairwise(peaks))
    if peaks[-1] < _LEAK * peaks[0] or rises < 12 or peaks[-1] - peaks[0] < 200:
        return None
    return RunFinding(
        rule="memory-grows",
        since_step=history.step(-20),
        message=f"memory grew from {peaks[0]:,.0f} to {peaks[-1]:,.0f} MB in 20 steps, and goes on",
        cause="something is kept from step to step: a reward function, or a leak of ours; resuming "
        "from the last checkpoint frees it",
        evidence={"MB": peaks[-1], "MB 20 steps ago": peaks[0]},
    )


def disk_fills(history: History) -> RunFinding | None:
    """Find a disk without room for the next two checkpoints."""
    free, size = history.facts.free_bytes, history.facts.checkpoint_bytes
    if free is None or not size or free > 2 * size:
        return None
    return RunFinding(
        rule="disk-fills",
        since_step=history.step(-1),
        message=f"the disk has {free / 1e9:.1f} GB left, and a checkpoint takes "
        f"{size / 1e9:.1f} GB",
        cause="the next checkpoint may not fit; free space, or keep fewer",
        key="checkpoint.keep",
        value="1",
        evidence={"GB free": free / 1e9, "GB of a checkpoint": size / 1e9},
    )


def never_ends(history: History) -> RunFinding | None:
    """Find rollouts that give an answer and go on until the limit."""
    since = history.since(
        "rollout/run_on_share", sign=lambda share: (share or 0.0) > ANSWERED, n=ROW
    )
    if since is None:
        return None
    share = history.mean("rollout/run_on_share", ROW) or 0.0
    return RunFinding(
        rule="never-ends",
        since_step=since,
        message=f"{share:.0%} of the rollouts give their answer and go on until the limit",
        cause="the token that ends this model's answers is not the tokenizer's eos_token or among "
        "eos_token_id of generation_config.json; name it there, or its text with model.stop",
        evidence={
            "answered and went on": share,
            "truncated share": history.mean("rollout/truncated_share", ROW) or 0.0,
        },
        rollouts=history.step(-1),
        is_grave=True,
    )
