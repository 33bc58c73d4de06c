"""Whole runs of the tiny recipe for the tests of a cluster, and what must hold of each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.support import RECIPES, metrics_of, reasonrl, rollouts_of

STEPS = 16
SAME = 0.02  # relative: a draw that falls within rounding flips a token; seeds are 0.1 apart
IN_PROCESS = ("engine.rollout.type=vllm",)
ON_RAY = ("engine.type=ray", "engine.rollout.type=local", "engine.learner.ranks=2")
ON_VLLM = ("engine.type=ray", "engine.rollout.type=vllm", "engine.learner.ranks=2")


def settings(model: Path, *more: str) -> list[str]:
    given = (
        f'model.name="{model}"',
        f"stage.1.steps={STEPS // 2}",
        f"stage.2.steps={STEPS // 2}",
        "checkpoint.every=3",
        "checkpoint.keep=20",
        "engine.threads=1",
        "optimizer.epsilon=1e-4",  # at 1e-8 AdamW makes whole steps of gradients that are rounding
        *more,
    )
    return [word for setting in given for word in ("--set", setting)]


def train(run: Path, model: Path, *more: str) -> Path:
    done = reasonrl("train", RECIPES / "tiny.toml", "--run-dir", run, *settings(model, *more))
    assert done.returncode == 0, done.stderr
    return run


def check_same(run: Path, reference: Path) -> None:
    """Every number of every step, within what the order of float32 sums explains."""
    mine, theirs = metrics_of(run), metrics_of(reference)
    assert len(mine) == len(theirs) == STEPS
    for row, other in zip(mine, theirs, strict=True):
        for key in ("entropy/nats", "update/gradient_norm", "rollout/mean_tokens", "accuracy/all"):
            assert row[key] == pytest.approx(other[key], rel=SAME), (row["step"], key)


def exact(run: Path) -> list[dict[str, object]]:
    """Every number that must repeat bit for bit: all but how far rounding on a replica is off.

    That depends on which rollouts it computed side by side, and nothing is learned from it here.
    """
    gaps = ("update/gap_mean", "update/gap_max", "sync/gap_nats")
    return [{k: v for k, v in row.items() if k not in gaps} for row in metrics_of(run)]


def check_conserved(run: Path) -> None:
    """Sampled = trained + masked + zero-signal + failed, by rollout id, each recorded once."""
    rows = metrics_of(run)
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    recorded = rollouts_of(run)
    ids = [(row["step"], row["rollout_id"]) for row in recorded]
    assert len(set(ids)) == len(ids) == sum(row["rollout/sampled"] for row in rows)
    for row in rows:
        parts = ("trained", "masked", "zero_signal", "failed")
        assert row["rollout/sampled"] == sum(row[f"rollout/{part}"] for part in parts)
