"""The drawing of tokens for the rollouts that are sampled side by side.

Each rollout draws from its own generator, so the arrangement of rows never changes the sampled
tokens. Shared by `sampling` (packed prompts, cached rows) and `lockstep` (the library's own cache).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from reasonrl.algo.logprobs import sample_tokens
from reasonrl.engines.stopping import StopTexts
from reasonrl.models.hf import LanguageModel
from reasonrl.types import Completion, Prompt, Sampling, StopReason


@dataclass(slots=True)
class SampledRow:
    """A rollout that is being sampled: its prompt's number, its index in the group, its tokens."""

    prompt: int
    index: int
    uniforms: np.ndarray
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


class TokenDraws:
    """Draw tokens for rows by one `Sampling`, and say when a row ends."""

    def __init__(self, model: LanguageModel, prompts: Sequence[Prompt], sampling: Sampling) -> None:
        self.prompts, self.sampling = prompts, sampling
        self._eos_ids = model.eos_ids
        self._stop = StopTexts(sampling.stop, model.tokenizer.hf)

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

    def completion(self, row: SampledRow, version: int) -> Completion:
        """Return a row that is over as a completion."""
        return Completion(
            tokens=np.asarray(row.tokens, dtype=np.int32),
            logprobs=np.asarray(row.logprobs, dtype=np.float32),
            stop=StopReason.STOP if self._is_stopped(row) else StopReason.LENGTH,
            version=version,
        )
