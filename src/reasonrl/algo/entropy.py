"""Entropy control: a pure `state -> state` machine and the coefficient it asks for.

The report and the released code differ (docs/paper-vs-release.md); both are presets of one rule,
named by `EntropyMode`. Called by the trainer: `coefficient` before the update, `adapt` after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reasonrl.types import EntropyMode


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyControl:
    """Hold the constants of the controller. Entropies are nats per token.

    `initial` is c_0 for the adaptive modes and the constant weight for FIXED.
    """

    mode: EntropyMode
    target_nats: float
    delta: float
    minimum: float
    maximum: float
    initial: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyState:
    """Hold what the controller remembers between steps; it belongs in every checkpoint."""

    coefficient: float
    is_open: bool


def initial_state(control: EntropyControl) -> EntropyState:
    """Return c_0 with an open gate, as the released code starts."""
    return EntropyState(coefficient=control.initial, is_open=True)


def coefficient(control: EntropyControl, state: EntropyState, entropy_nats: float | None) -> float:
    """Return alpha_k >= 0, the weight of the entropy term in this step.

    REPORT: c_k * 1{e_k <= target}, with e_k this step's entropy (needed: the estimate from
    `old_logprobs` of the kept rollouts). RELEASE: c_k times the gate left by the last step. A c_k
    carried over from a stage with other bounds is brought within these.
    """
    bounded = min(max(state.coefficient, control.minimum), control.maximum)
    match control.mode:
        case EntropyMode.NONE:
            return 0.0
        case EntropyMode.FIXED:
            return control.initial
        case EntropyMode.RELEASE:
            return bounded if state.is_open else 0.0
        case EntropyMode.REPORT:
            if entropy_nats is None:
                raise ValueError("mode 'report' gates on this step's entropy: it must be given")
            return bounded if entropy_nats <= control.target_nats else 0.0


def adapt(control: EntropyControl, state: EntropyState, entropy_nats: float) -> EntropyState:
    """Return the state after a step whose kept rollouts had entropy e_k; report eq. 3.2.

    REPORT: c grows by delta below the target, falls above it, stays when equal.
    RELEASE: equality counts as above, and the gate of the next step is `e_k < target`.
    Both are clipped to [minimum, maximum]; the report states only alpha >= 0.
    """
    target = control.target_nats
    match control.mode:
        case EntropyMode.NONE | EntropyMode.FIXED:
            return state
        case EntropyMode.REPORT:
            direction = (entropy_nats < target) - (entropy_nats > target)
            is_open = entropy_nats <= target
        case EntropyMode.RELEASE:
            direction = 1 if entropy_nats < target else -1
            is_open = entropy_nats < target
    moved = state.coefficient + direction * control.delta
    return replace(
        state, coefficient=min(max(moved, control.minimum), control.maximum), is_open=is_open
    )
