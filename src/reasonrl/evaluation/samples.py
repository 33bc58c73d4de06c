"""The judged samples of a suite, from a journal to rows, and from a file back to scoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reasonrl.errors import CheckpointError
from reasonrl.evaluation.journal import Identity
from reasonrl.evaluation.sample_file import SampleRow
from reasonrl.evaluation.score import JudgedSample
from reasonrl.evaluation.suite import Journal
from reasonrl.reward.columns import COMPONENT, columns_of, scores_of
from reasonrl.reward.scoring import Rewarded
from reasonrl.rollout.problems import EncodedProblem, Tokenizer
from reasonrl.types import Problem, Status, StopReason, Verdict

VERIFIED = "verified_reward"
"""The column of the verifier's reward, where `reward` is the total of components."""

_SCORED = ["problem_id", "n_tokens", "stop", "reward", "status", "extracted"]
_SHOWN_KEY = 4_000  # characters; the answer key of a program, its tests, can have 100 MB


def sample_rows(
    encoded: Sequence[EncodedProblem],
    k: int,
    journal: Journal,
    tokenizer: Tokenizer,
    *,
    suite: str,
    model: str = "",
) -> list[SampleRow]:
    """Return every sample with its verdict, in the order of problems and indices.

    `model` is the name of a model that is compared with others.
    """
    return [
        {"model": model, "suite": suite, **_row(item.problem, index, journal, tokenizer)}
        for item in encoded
        for index in range(k)
    ]


def read_samples(
    path: Path, encoded: Sequence[EncodedProblem], identity: Identity
) -> dict[str, list[JudgedSample]]:
    """Return the samples of a finished suite, for scoring.

    Raises CheckpointError when the file has another identity or no evaluation wrote it.
    """
    kinds = {item.problem.id: item.problem.kind for item in encoded}
    samples: dict[str, list[JudgedSample]] = {problem_id: [] for problem_id in kinds}
    try:
        metadata = pq.read_schema(path).metadata or {}
        plain = {key.decode(): value.decode() for key, value in metadata.items()}
        before = Identity(**{name: plain[name] for name in ("weights", "problems", "prompts")})
        identity.check(before, path)
        for row in pq.read_table(path, columns=_scored(path)).to_pylist():
            samples[row["problem_id"]].append(
                JudgedSample(
                    kind=kinds[row["problem_id"]],
                    n_tokens=row["n_tokens"],
                    is_truncated=row["stop"] == StopReason.LENGTH,
                    verdict=_verdict(row),
                    scores=(scores := scores_of(row)),
                    total=row["reward"] if scores else None,
                )
            )
    except (pa.ArrowException, KeyError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"not the samples of an evaluation: {error}",
            where=str(path),
            remedy="delete it to sample this suite again",
        ) from error
    return samples


def _scored(path: Path) -> list[str]:
    """Return the columns that scoring needs; reward components have their own."""
    own = [name for name in pq.read_schema(path).names if name.startswith(COMPONENT)]
    return [*_SCORED, *own, *([VERIFIED] if own else [])]


def _verdict(row: Mapping[str, Any]) -> Verdict | None:
    if row["status"] is None:
        return None
    reward = row.get(VERIFIED, row["reward"])
    return Verdict(reward=reward, status=Status(row["status"]), extracted=row["extracted"])


def _rewarded(rewarded: Rewarded | None, verdict: Verdict | None) -> dict[str, object]:
    """Return the total in place of the verdict's reward, and a column for each component."""
    if rewarded is None:
        return {}
    verified = None if verdict is None else verdict.reward
    return {"reward": rewarded.total, VERIFIED: verified, **columns_of(rewarded.scores)}


def _row(problem: Problem, index: int, journal: Journal, tokenizer: Tokenizer) -> dict[str, object]:
    key = problem.id, index
    draft, verdict = journal.drafts()[key], journal.verdicts().get(key)
    return {
        "problem_id": problem.id,
        "index": index,
        "prompt": "\n".join(turn.content for turn in problem.prompt),
        "text": tokenizer.decode(draft.tokens),
        "answer": problem.answer[:_SHOWN_KEY],
        "n_tokens": len(draft.tokens),
        "tokens": draft.tokens,
        "logprob": draft.logprob,
        "stop": str(draft.stop),
        "reward": None if verdict is None else verdict.reward,
        "status": None if verdict is None else str(verdict.status),
        "reason": None if verdict is None else verdict.reason,
        "extracted": None if verdict is None else verdict.extracted,
        "tests": [] if verdict is None else [str(status) for status in verdict.tests],
        "verify_wall_s": None if verdict is None else verdict.wall_s,
        **_rewarded(journal.rewards().get(key), verdict),
    }
