"""Steps that another system published, and what the formulas say of them.

The constants of time are those of the report's system of 2025. NVIDIA publishes the seconds of a
GRPO step of NeMo RL 0.4 (its repository's docs/about/performance-summary.md, commit 06beed9: H100,
bfloat16, Megatron-core and vLLM on the same GPUs, OpenMathInstruct-2, on-policy). The two that are
dense, and the mixture of experts whose shape is known here, say how far such a system is from the
plan. All rollouts are learned from there, and the mean length of a response is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reasonrl.planning.calibrated import colocated, stage_of
from reasonrl.planning.gpus import GPUS
from reasonrl.planning.lengths import PROMPT_TOKENS
from reasonrl.planning.published import SHAPES
from reasonrl.planning.timing import Assumptions, StepTime, step_time

_ROWS = 1_024
"""vLLM's own limit of rows on these GPUs."""

_GROUP = 16
"""Any group size: the formulas count rollouts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedStep:
    """A step that a system published; `mean_tokens` are those of prompt and response."""

    model: str
    gpus: int
    tensor_parallel: int
    rollouts: int
    updates: int
    max_tokens: int
    mean_tokens: int
    seconds: float

    @property
    def predicted(self) -> StepTime:
        """Return what the formulas say of it, with the constants of the report's system."""
        return step_time(
            SHAPES[self.model],
            replace(colocated(self.gpus, self.tensor_parallel), max_rows=_ROWS),
            stage_of(
                prompts=self.rollouts // _GROUP,
                group=_GROUP,
                max_new_tokens=self.max_tokens,
                updates=self.updates,
            ),
            GPUS["H100"],
            assumed=Assumptions(
                kept_share=1.0, mean_share=(self.mean_tokens - PROMPT_TOKENS) / self.max_tokens
            ),
        )

    @property
    def share(self) -> float:
        """Return the published seconds as a share of the predicted ones."""
        return self.seconds / self.predicted.total_s


NEMO_RL = (
    PublishedStep(
        model="meta-llama/Llama-3.1-8B-Instruct", gpus=16, tensor_parallel=1, rollouts=2_048,
        updates=4, max_tokens=4_096, mean_tokens=1_060, seconds=97.7,
    ),
    PublishedStep(
        model="Qwen/Qwen3-32B", gpus=32, tensor_parallel=4, rollouts=2_048,
        updates=4, max_tokens=4_096, mean_tokens=3_206, seconds=393.0,
    ),
    PublishedStep(
        model="Qwen/Qwen3-30B-A3B", gpus=32, tensor_parallel=4, rollouts=2_048,
        updates=4, max_tokens=4_096, mean_tokens=3_154, seconds=225.0,
    ),
)  # fmt: skip


def shares() -> tuple[float, float]:
    """Return the smallest and the largest share of a plan's time that a published step took."""
    found = [step.share for step in NEMO_RL]
    return min(found), max(found)
