"""The rows of the check: the most telling and cheapest questions first. docs/gpu-check.md has all.

Only data: `asking` knows how a question is answered.
"""

from __future__ import annotations

from reasonrl.gpu.row import GpuRow, Needs

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
    GpuRow(
        name="families",
        question="Does each family of models compute here what plain transformers computes?",
        estimate_s=60,
        cpu_estimate_s=15,
        limit_s=900,
    ),
    GpuRow(
        name="sampler-learner-float32",
        question="Does vLLM compute what the learner computes, in float32?",
        estimate_s=90,
        cpu_estimate_s=25,
        limit_s=900,
        needs=_VLLM,
    ),
    GpuRow(
        name="sampler-learner-bfloat16",
        question="How far is vLLM from the learner in bfloat16?",
        estimate_s=90,
        cpu_estimate_s=25,
        limit_s=900,
        needs=_VLLM,
    ),
    GpuRow(
        name="sync-stale",
        question="Does a sync find weights, and a head, that are old by one update?",
        estimate_s=90,
        cpu_estimate_s=25,
        limit_s=900,
        needs=_VLLM,
    ),
    GpuRow(
        name="sleep",
        question="Does vLLM give its memory back when it sleeps, and wake as it was?",
        estimate_s=100,
        cpu_estimate_s=0,
        limit_s=900,
        needs=Needs(gpus=1, vllm=True),
    ),
    GpuRow(
        name="quickstart-local",
        question="Does the quickstart learn here, how fast, and in how much memory?",
        estimate_s=120,
        cpu_estimate_s=30,
        limit_s=1800,
    ),
    GpuRow(
        name="quickstart-vllm",
        question="The same with vLLM in the learner's process, in turns on one GPU?",
        estimate_s=240,
        cpu_estimate_s=60,
        limit_s=1800,
        needs=_VLLM,
    ),
    GpuRow(
        name="quickstart-ray-shared",
        question="The same with Ray, a rank and a vLLM replica that share one GPU?",
        estimate_s=300,
        cpu_estimate_s=90,
        limit_s=2400,
        needs=Needs(vllm=True, ray=True),
    ),
    GpuRow(
        name="training-state",
        question="Do 8-bit moments, the host's memory, adapters and 4 bits work, in what memory?",
        estimate_s=60,
        cpu_estimate_s=15,
        limit_s=900,
    ),
    GpuRow(
        name="resume",
        question="Does a run that is killed and resumed end as one that was not?",
        estimate_s=120,
        cpu_estimate_s=25,
        limit_s=1200,
    ),
    GpuRow(
        name="fsdp-nccl",
        question="Do FSDP2's ranks compute what the local engine computes?",
        estimate_s=120,
        cpu_estimate_s=45,
        limit_s=900,
    ),
    GpuRow(
        name="seeds",
        question="What does a seed for each request cost vLLM in speed?",
        estimate_s=90,
        cpu_estimate_s=30,
        limit_s=900,
        needs=_VLLM,
    ),
    GpuRow(
        name="tensor-parallel",
        question="Does vLLM, cut over two GPUs, hold the learner's weights and score as it does?",
        estimate_s=150,
        cpu_estimate_s=45,
        limit_s=1200,
        needs=Needs(gpus=2, asked_of_cpus=True, vllm=True),
    ),
    GpuRow(
        name="two-nodes",
        question="Does a run on two machines end as it does on one?",
        estimate_s=0,
        cpu_estimate_s=0,
        limit_s=0,
        needs=Needs(
            elsewhere="two machines: submit the lines under Slurm in docs/clusters.md with "
            "--nodes=2, then read `reasonrl status RUN`"
        ),
    ),
)
"""All rows, in the order in which they are asked."""
