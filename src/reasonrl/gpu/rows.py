"""The rows of the check: the most telling and cheapest questions first. docs/gpu-check.md has all.

Only data: `asking` knows how a question is answered.
"""

from __future__ import annotations

from reasonrl.gpu.row import GpuRow, Needs

_GPU = Needs(gpus=1)
_VLLM = Needs(vllm=True)

ROWS: tuple[GpuRow, ...] = (
    GpuRow(
        name="machine",
        question="What is this machine?",
        estimate_s=15,
        cpu_estimate_s=5,
        limit_s=180,
    ),
    GpuRow(
        name="attention",
        question="Does flash attention run for completions after a shared prompt, and is it right?",
        estimate_s=20,
        cpu_estimate_s=5,
        limit_s=300,
    ),
    GpuRow(
        name="logprobs-float32",
        question="Does the learner compute what plain transformers computes, in float32?",
        estimate_s=25,
        cpu_estimate_s=8,
        limit_s=600,
    ),
    GpuRow(
        name="logprobs-bfloat16",
        question="How far is the learner in bfloat16 from plain transformers in float32?",
        estimate_s=25,
        cpu_estimate_s=8,
        limit_s=600,
    ),
)
"""All rows, in the order in which they are asked."""
