"""The drawing of tokens for the rollouts that are sampled side by side.

Each rollout draws from its own generator, so the arrangement of rows never changes the sampled
tokens. Shared by `sampling` (packed prompts, cached rows) and `lockstep` (the library's own cache).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from reasonrl.algo.logprobs import sample_tokens
from reasonrl.engines.protocols import Finished
from reasonrl.engines.stopping import StopTexts
from reasonrl.models.hf import LanguageModel
from reasonrl.types import Completion, Prompt, Sampling, StopReason


@dataclass(slots=True, eq=False)
class SampledRow:
    """A rollout that is being sampled: its prompt's number, its index in the group, its tokens.

    A row is itself alone: two rows are never equal.
    """

    prompt: int
    index: int
    uniforms: np.ndarray
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SamplingJob:
    """The rollouts that one call wants, and its limits.

    At most `max_rows` rollouts run side by side; `token_budget` bounds the prompt tokens that are
    computed in one pass. `version` is that of the weights.
    """

    prompts: Sequence[Prompt]
    sampling: Sampling
    max_rows: int
    token_budget: int
    version: int
    on_finished: Finished | None

    @property
    def members(self) -> list[Sequence[int]]:
        """Return the wanted indices of each prompt's group."""
        return [prompt.members(self.sampling.group_size) for prompt in self.prompts]

    @property
    def rollouts(self) -> list[tuple[int, int]]:
        """Return (prompt number, index in the group) of each wanted rollout, in order."""
        return [(number, index) for number, wanted in enumerate(self.members) for index in wanted]


class TokenDraws:
    """Draw tokens for the rows of a job, and say when a row ends."""

    def __init__(self, model: LanguageModel, job: SamplingJob) -> None:
        self.prompts, self.sampling = job.prompts, job.sampling
        self._eos_ids = model.eos_ids
        self._stop = StopTexts(job.sampling.stop, model.tokenizer.hf)

    def start(self, number: int, index: int) -> SampledRow:
        """Return a row without tokens; its numbers follow from (prompt seed, index) alone."""
        seed = np.random.SeedSequence((self.prompts[number].seed, index))
        uniforms = np.random.Generator(np.random.Philox(seed)).random(self.sampling.max_new_tokens)
        return SampledRow(number, index, uniforms)

    def append(
        self, rows: Sequence[SampledRow | None], logits_RV: Tensor
    ) -> tuple[Tensor, list[int]]:
        """Append a token to every row; return the tokens, [R], and the slots of rows that end.

        A slot without a row gets a token too, which means nothing. Overwrites the logits.
        """
        uniforms = [0.0 if row is None else row.uniforms[len(row.tokens)] for row in rows]
        tokens_R, logprobs_R = sample_tokens(
            logits_RV,
            torch.tensor(uniforms, dtype=torch.float64, device=logits_RV.device),
            self.sampling.temperature,
            top_p=self.sampling.top_p,
            top_k=self.sampling.top_k,
            min_p=self.sampling.min_p,
        )
        over = []
        drawn = zip(rows, tokens_R.tolist(), logprobs_R.tolist(), strict=True)
        for slot, (row, token, logprob) in enumerate(drawn):
            if row is None:
                continue
            row.tokens.append(token)
            row.logprobs.append(logprob)
            if self._is_over(row):
                over.append(slot)
        return tokens_R, over

    def _is_over(self, row: SampledRow) -> bool:
        """Return whether the newest token is the row's last."""
        return len(row.tokens) == self.sampling.max_new_tokens or self._is_stopped(row)

    def _is_stopped(self, row: SampledRow) -> bool:
        """Return whether the newest token ends the row: an EOS id, or the end of a stop text."""
        return row.tokens[-1] in self._eos_ids or self._stop.are_reached(row.tokens)

    def _completion(self, row: SampledRow, version: int) -> Completion:
        """Return a row that is over as a completion."""
        return Completion(
            tokens=np.asarray(row.tokens, dtype=np.int32),
            logprobs=np.asarray(row.logprobs, dtype=np.float32),
            stop=StopReason.STOP if self._is_stopped(row) else StopReason.LENGTH,
            version=version,
        )

    def collect(self, job: SamplingJob, ended: Iterable[SampledRow]) -> list[list[Completion]]:
        """Take rows as they end and announce them; return the completions of each prompt."""
        groups: list[dict[int, Completion]] = [{} for _ in job.prompts]
        for row in ended:
            completion = self._completion(row, job.version)
            groups[row.prompt][row.index] = completion
            if job.on_finished:
                job.on_finished(row.prompt, row.index, completion)
        return [
            [group[index] for index in wanted]
            for group, wanted in zip(groups, job.members, strict=True)
        ]
