"""Entropy control: a pure `state -> state` machine and the weight alpha_k that follows from it.

c_k is the coefficient that the controller adapts; alpha_k is the weight of the entropy term in
step k: c_k, or 0 where a gate is closed. The report and the released code differ
(docs/paper-vs-release.md); both are presets of one rule, named by `EntropyMode`. RELATIVE is ours
(docs/LOG.md, "The lab"). The loop calls `alpha` before an update and `adapt` after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp

from reasonrl.algo.choices import EntropyMode

_PROMPTNESS = 4.0
"""How strongly RELATIVE reacts to the distance between this step's entropy and the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyControl:
    """The constants of the controller. Entropies are nats per token.

    `initial` is c_0 for the adaptive modes and the constant weight for FIXED. The target is
    `target_share` of the first step's entropy for RELATIVE, `target_nats` for the other modes.
    """

    mode: EntropyMode
    target_nats: float
    target_share: float
    delta: float
    minimum: float
    maximum: float
    initial: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyState:
    """The controller's memory between steps; it belongs in every checkpoint.

    `c` is c_k, `is_open` the gate of RELEASE, `start_nats` the entropy of the first step.
    """

    c: float
    is_open: bool
    start_nats: float | None = None


def initial_state(control: EntropyControl) -> EntropyState:
    """Return c_0 with an open gate, as the released code starts."""
    return EntropyState(c=control.initial, is_open=True)


def alpha(control: EntropyControl, state: EntropyState, entropy_nats: float | None) -> float:
    """Return alpha_k >= 0, the weight of the entropy term in this step.

    REPORT: c_k * 1{e_k <= target}, with e_k this step's entropy (required: the estimate from
    `old_logprobs` of the kept rollouts). RELEASE: c_k times the gate left by the last step.
    RELATIVE: c_k exp(4 (1 - e_k / target)), at most the maximum. A c_k that comes from a stage
    with other bounds is first clipped to the bounds of this stage.
    """
    bounded = min(max(state.c, control.minimum), control.maximum)
    match control.mode:
        case EntropyMode.NONE:
            return 0.0
        case EntropyMode.FIXED:
            return control.initial
        case EntropyMode.RELEASE:
            return bounded if state.is_open else 0.0
        case EntropyMode.REPORT:
            if entropy_nats is None:
                raise ValueError("mode 'report' gates on this step's entropy: pass entropy_nats")
            return bounded if entropy_nats <= control.target_nats else 0.0
        case EntropyMode.RELATIVE:
            if entropy_nats is None:
                raise ValueError("mode 'relative' needs this step's entropy: pass entropy_nats")
            reaction = exp(_PROMPTNESS * _below_target(control, state, entropy_nats))
            return min(bounded * reaction, control.maximum)


def adapt(control: EntropyControl, state: EntropyState, entropy_nats: float) -> EntropyState:
    """Return the state after a step whose kept rollouts had entropy e_k; report eq. 3.2.

    REPORT: c grows by delta below the target, falls by delta above it, stays at the target.
    RELEASE: e_k = target counts as above, and the gate of the next step is `e_k < target`.
    RELATIVE: c is multiplied by exp(delta (1 - e_k / target)).
    The new c is clipped to [minimum, maximum]; the report states only alpha >= 0.
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
        case EntropyMode.RELATIVE:
            return _adapt_relative(control, state, entropy_nats)
    moved = state.c + direction * control.delta
    return replace(state, c=min(max(moved, control.minimum), control.maximum), is_open=is_open)


def _adapt_relative(
    control: EntropyControl, state: EntropyState, entropy_nats: float
) -> EntropyState:
    moved = state.c * exp(control.delta * _below_target(control, state, entropy_nats))
    return replace(
        state,
        c=min(max(moved, control.minimum), control.maximum),
        start_nats=entropy_nats if state.start_nats is None else state.start_nats,
    )


def _below_target(control: EntropyControl, state: EntropyState, entropy_nats: float) -> float:
    """Return 1 - e_k / target: a relative distance, independent of the scale of the entropy."""
    start = entropy_nats if state.start_nats is None else state.start_nats
    return 1.0 - entropy_nats / (control.target_share * start) if start > 0 else 0.0
