"""Draw one recorded rollout again, alone, and judge it again with every step to the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reasonrl.diagnose.compare import ROUNDING_NATS
from reasonrl.diagnose.differences import EXACT, LOOSE, Compared
from reasonrl.diagnose.recorded import read_rows
from reasonrl.diagnose.replay import Repeat, recorded_metrics
from reasonrl.diagnose.states import open_before
from reasonrl.errors import CheckpointError
from reasonrl.launch.judges import make_verifier
from reasonrl.rollout.problems import item_of
from reasonrl.seeds import derive_seed
from reasonrl.terminal import Console
from reasonrl.types import Kind, Prompt
from reasonrl.verify.explain import Explanation, explain


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrawn:
    """A rollout that was drawn again: its text, what differs, and the steps to its verdict.

    `explanation` is None for programs, and where no verifier is asked.
    """

    rollout_id: str
    text: str
    comparison: Compared
    explanation: Explanation | None


def redraw(
    run: Path, step: int, rollout_id: str, console: Console, *, address: str | None = None
) -> Redrawn:
    """Draw a rollout of a step again; CheckpointError for an id that the step does not have."""
    rows = {str(row["rollout_id"]): row for row in read_rows(run, step)}
    if rollout_id not in rows:
        raise CheckpointError(
            f"no rollout {rollout_id}",
            where=f"{run}, step {step}",
            expected=f"an id such as {next(iter(rows), 'train-1-0/PROBLEM/0')}",
            remedy="the column rollout_id of the step's rollouts has all of them",
        )
    row = rows[rollout_id]
    comparison = Compared()
    with open_before(run, step, console, address=address) as opened:
        repeat = Repeat(run, opened, console, recorded_metrics(run))
        repeat.go_to(step)
        repeat.use_threads_of(step)
        attempt = int(rollout_id.partition("/")[0].rpartition("-")[2])
        [[completion]] = opened.engines.rollout.generate(
            [
                Prompt(
                    tokens=np.asarray(row["prompt_tokens"], np.int32),
                    seed=derive_seed(opened.recipe.seed, "train", step, attempt, row["problem_id"]),
                    indices=(int(row["index"]),),
                )
            ],
            opened.stage_of(row).rollout.sampling(opened.recipe.model.stop),
        )
        bounds = EXACT if opened.is_exact else LOOSE
        comparison.equal("tokens", rollout_id, row["tokens"], completion.tokens.tolist())
        nats = max(bounds.nats, ROUNDING_NATS)
        comparison.numbers(
            "logprobs", rollout_id, row["logprobs"], completion.logprobs.tolist(), nats
        )
        text = opened.tokenizer.decode(completion.tokens)
        comparison.equal("text", rollout_id, row["text"], text)
        encoded = repeat.problem(str(row["problem_id"]))
        explanation = None
        if opened.recipe.has_verifier and encoded.problem.kind is Kind.MATH:
            with make_verifier(opened.recipe.verify) as verifier:
                explanation = explain(verifier, item_of(encoded, text, completion.stop))
            comparison.equal("status", rollout_id, row["status"], str(explanation.verdict.status))
    return Redrawn(rollout_id=rollout_id, text=text, comparison=comparison, explanation=explanation)
