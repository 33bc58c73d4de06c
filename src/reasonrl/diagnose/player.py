"""An engine, a judge and rewards that give back what a step recorded, or ask the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from reasonrl.diagnose.recorded import Group, completion_of, rounds_of, verdict_of
from reasonrl.engines.checksums import Checksums
from reasonrl.engines.protocols import Finished, RolloutEngine
from reasonrl.engines.weights import Weights
from reasonrl.errors import RefusedError
from reasonrl.reward.columns import COMPONENT, scores_of
from reasonrl.reward.record import RolloutRecord
from reasonrl.reward.scoring import Groups, Rewarded
from reasonrl.reward.total import Term, total_reward
from reasonrl.rollout.judge import Judge, RewardFunction
from reasonrl.types import Completion, Logprobs, Prompt, Sampling, Tokens, Verdict, VerifyItem


class Player:
    """The collaborators of a trainer that repeats recorded steps.

    `rewards` and `judge` are asked only in a step that is judged again, `engine` only in a step
    that is sampled again. `terms` are the components of the reward, empty without any, and
    `verifier` is the name of the component that is the verifier's.
    """

    counted: Sequence[str] = ()
    is_early = False

    def __init__(
        self,
        engine: RolloutEngine,
        judge: Judge | None,
        rewards: RewardFunction | None,
        *,
        terms: Sequence[Term],
        verifier: str,
    ) -> None:
        self._engine, self._judge, self._rewards = engine, judge, rewards
        self._terms = tuple(terms)
        self._column = f"{COMPONENT}{verifier}" if terms else "reward"
        self._rounds: list[list[Group]] = []
        self._now: list[Group] = []
        self.judges_again = self.samples_again = False

    def play(self, rows: Group, *, judges_again: bool, samples_again: bool) -> None:
        """Set the rollouts of the step that is taken next."""
        self._rounds = rounds_of(rows)
        self.judges_again, self.samples_again = judges_again, samples_again

    # the sampler

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, on_finished: Finished | None = None
    ) -> list[list[Completion]]:
        if not self._rounds:
            raise RefusedError("the step samples one round more than it recorded")
        self._now = self._rounds.pop(0)
        if len(self._now) != len(prompts):
            raise RefusedError(
                f"the step asks for {len(prompts)} groups and recorded {len(self._now)}"
            )
        if self.samples_again:
            return self._engine.generate(prompts, sampling, on_finished=on_finished)
        return [[completion_of(row) for row in group] for group in self._now]

    def score(
        self, pairs: Sequence[tuple[Tokens, Tokens]], *, temperature: float
    ) -> list[Logprobs]:
        return self._engine.score(pairs, temperature=temperature)

    def checksums(self) -> Checksums:
        return self._engine.checksums()

    def load_weights(self, weights: Weights, *, version: int) -> None:
        """Give the real engine the weights, so that it scores and samples with them."""
        self._engine.load_weights(weights, version=version)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: the real engine belongs to the caller."""

    # the judges

    def verdicts(self, items: Sequence[VerifyItem], /) -> list[Verdict]:
        """Return the verdicts of the round that was sampled last, in order."""
        if self.judges_again and self._judge is not None:
            return self._judge(items)
        found = [verdict_of(row, self._column) for group in self._now for row in group]
        return [verdict for verdict in found if verdict is not None]

    def begin(self, record: RolloutRecord, /) -> None:
        """Do nothing: no component of a replay works beside the sampling."""

    def __call__(self, groups: Groups, /) -> list[list[Rewarded]]:
        """Return the scores of the round that was sampled last, with their total."""
        if self.judges_again and self._rewards is not None:
            return self._rewards(groups)
        scored = [[scores_of(row) or {} for row in group] for group in self._now]
        return [
            [Rewarded(scores=one, total=total_reward(self._terms, one)) for one in group]
            for group in scored
        ]
