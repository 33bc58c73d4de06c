"""Fit the constants of `planning.timing.Calibration` to the report's Tables 7, 8 and 9.

Each phase is linear in its constants (in the inverse of a share), so each is one least-squares
problem in relative errors: eight measurements of t_R for three constants, four of t_T and four of
t_O for two each. A constant's effect is found by setting it to a unit and the others to nothing.

    python -m benchmarks.calibrate
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from reasonrl.planning.calibrated import (
    STEPS,
    TABLE_7,
    TABLE_8,
    TABLE_9,
    baseline,
    reproduce_tables,
    table_7,
)
from reasonrl.planning.timing import Calibration, StepTime

NOTHING = Calibration(
    bandwidth_share=1e12, step_s=0, row_s=0, flops_share=1e12, update_s=0, judge_s=0, fixed_s=0
)
Phase = Callable[[StepTime], float]


def main() -> None:
    fitted = fit()
    print(fitted)
    errors = sorted(abs(row.error) for row in reproduce_tables(fitted))
    print(f"worst error {errors[-1]:.1%}, median {float(np.median(errors)):.1%}")


def fit() -> Calibration:
    """Return the constants, to two digits."""
    rollout = _solve(
        lambda time: time.rollout_s,
        _cases(with_table_9=True),
        [{"bandwidth_share": 1.0}, {"step_s": 1.0}, {"row_s": 1.0}],
        targets=[*TABLE_9.values(), *_hours("rollout")],
    )
    update = _solve(
        lambda time: time.update_s,
        _cases(),
        [{"flops_share": 1.0}, {"update_s": 1.0}],
        targets=_hours("update"),
    )
    flops_share = _two_digits(1 / update[0])
    other = _solve(
        lambda time: time.other_s,
        _cases(),
        [{"judge_s": 1.0}, {"fixed_s": 1.0}],
        targets=_hours("other"),
        given={"flops_share": flops_share},
    )
    return Calibration(
        bandwidth_share=_two_digits(1 / rollout[0]),
        step_s=_two_digits(rollout[1]),
        row_s=_two_digits(rollout[2]),
        flops_share=flops_share,
        update_s=_two_digits(update[1]),
        judge_s=_two_digits(other[0]),
        fixed_s=_two_digits(other[1]),
    )


def _cases(*, with_table_9: bool = False) -> list[Callable[[Calibration, Phase], float]]:
    """Return functions that give a phase's seconds in each measured case, in the tables' order."""

    def of_table_7(calibration: Calibration, phase: Phase) -> float:
        return sum(share * phase(setup.time(calibration)) for share, setup in table_7())

    setups = [baseline(gpus) for gpus in TABLE_9] if with_table_9 else []
    setups += [baseline(32, updates) for updates in TABLE_8]
    plain = [lambda c, phase, setup=setup: phase(setup.time(c)) for setup in setups]
    return [*plain, of_table_7]


def _hours(phase: str) -> list[float]:
    return [row[phase] * 3_600 / STEPS for row in (*TABLE_8.values(), TABLE_7)]


def _solve(
    phase: Phase,
    cases: Sequence[Callable[[Calibration, Phase], float]],
    units: Sequence[dict[str, float]],
    *,
    targets: Sequence[float],
    given: dict[str, float] | None = None,
) -> list[float]:
    """Return the factors of `units` with the least squared relative errors."""
    base = replace(NOTHING, **(given or {}))
    already = np.array([case(base, phase) for case in cases])
    effects = np.array([[case(replace(base, **u), phase) for u in units] for case in cases])
    effects -= already[:, None]
    wanted = np.array(targets)
    weights = 1 / wanted
    found, *_ = np.linalg.lstsq(
        effects * weights[:, None], (wanted - already) * weights, rcond=None
    )
    return [float(value) for value in found]


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


if __name__ == "__main__":
    main()
