"""The memory that a run needs on the host of a node, beside its programs and data.

The largest parts are what leaves the GPU for a while, and weights on their way to the samplers. A
node is assumed to have at most `GPUS_PER_NODE` GPUs.
"""

from __future__ import annotations

from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.parts import MemoryEstimate, Part, estimate
from reasonrl.planning.shapes import ModelShape

GPUS_PER_NODE = 8

VERSIONS = 2
"""Versions of the weights in Ray's object store: a new one comes before the old one goes."""


def gpus_of_node(layout: EngineLayout) -> int:
    """Return the GPUs of the run on its fullest node."""
    return min(GPUS_PER_NODE, layout.gpus)


def host_memory(shape: ModelShape, layout: EngineLayout) -> MemoryEstimate:
    """Return the memory on the host of the fullest node; nothing without GPUs."""
    if layout.is_on_cpu:
        return estimate(())
    if layout.is_one_process:
        kept = _at_rest(shape, layout, layout.offloads) or (_checkpoint(shape, layout),)
        return estimate((*kept, _moments(shape, layout, 1)))
    ranks = min(gpus_of_node(layout), layout.ranks)
    return estimate(
        (
            *((name, ranks * size) for name, size in _at_rest(shape, layout, layout.shares_gpus)),
            _moments(shape, layout, ranks),
            *_in_transit(shape, layout),
        )
    )


def _at_rest(shape: ModelShape, layout: EngineLayout, leaves_gpu: bool) -> tuple[Part, ...]:
    """Return what one rank keeps on the host while samplers have its GPU; gradients are dropped."""
    if not leaves_gpu:
        return ()
    training = layout.training
    reference = training.reference(shape, layout.element_bytes if layout.is_one_process else 4)
    kept = training.weights(shape) + training.moments(shape) + reference * layout.keeps_reference
    return (("learner at rest", kept / layout.ranks),)


def _checkpoint(shape: ModelShape, layout: EngineLayout) -> Part:
    """Return the copies of weights and moments from which one process writes a checkpoint.

    All are on the host at the same time. A learner that rests there is as large, and at another
    time.
    """
    training = layout.training
    learned = 4.0 * training.trained(shape)
    return "a checkpoint while it is written", learned + training.moments(shape)


def _moments(shape: ModelShape, layout: EngineLayout, ranks: int) -> Part:
    return "moments", ranks * layout.training.on_host(shape) / layout.ranks


def _in_transit(shape: ModelShape, layout: EngineLayout) -> tuple[Part, ...]:
    """Return the weights that a cluster's samplers read, as if the wire were not used.

    The store of a node may hold all shares. A replica on several GPUs reads all weights from files
    in /dev/shm, a tied head beside its embedding, which each replica writes for itself.
    """
    stored = layout.element_bytes * shape.parameters
    tied = layout.element_bytes * shape.vocabulary * shape.hidden if shape.tied else 0
    is_apart = layout.samples_with_vllm and layout.tensor_parallel > 1
    replicas = min(layout.replicas, max(1, gpus_of_node(layout) // layout.tensor_parallel))
    return (
        ("weights in Ray's object store", float(VERSIONS * stored)),
        ("weights in /dev/shm", float(replicas * (stored + tied) * is_apart)),
    )
