"""Fit the constants of `planning.timing.Calibration` to the report's Tables 7, 8 and 9.

Each phase is linear in its constants (in the inverse of a share), so each phase is one
least-squares problem in relative errors: eight measurements of t_R for three constants, four of t_T
for two and four of t_O for two. The effect of a constant is found by setting it to a unit and the
other constants to zero.

    python -m benchmarks.calibrate
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

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
Vector = npt.NDArray[np.float64]
System = tuple[Vector, Vector]
"""The relative effect of each constant on each measurement, and the sums that they should have."""


def main() -> None:
    fitted = fit()
    print(fitted)
    errors = sorted(abs(row.error) for row in reproduce_tables(fitted))
    print(f"of all numbers: worst error {errors[-1]:.1%}, median {np.median(errors):.1%}")
    for phase, system in systems().items():
        left_out = " ".join(f"{error:+.0%}" for error in errors_left_out(system))
        print(f"{phase}, each measurement predicted from the others: {left_out}")


def fit() -> Calibration:
    """Return the constants, rounded to two digits."""
    solutions = {phase: _solve(system) for phase, system in systems().items()}
    inverse_bandwidth, step_s, row_s = solutions["t_R"]
    inverse_flops, update_s = solutions["t_T"]
    judge_s, fixed_s = solutions["t_O"]
    return Calibration(
        bandwidth_share=_two_digits(1 / inverse_bandwidth),
        step_s=_two_digits(step_s),
        row_s=_two_digits(row_s),
        flops_share=_two_digits(1 / inverse_flops),
        update_s=_two_digits(update_s),
        judge_s=_two_digits(judge_s),
        fixed_s=_two_digits(fixed_s),
    )


def errors_left_out(system: System) -> list[float]:
    """Return the relative error of each measurement under the fit to all others."""
    effects, wanted = system
    errors = []
    for left_out in range(len(wanted)):
        others = np.arange(len(wanted)) != left_out
        solution = _solve((effects[others], wanted[others]))
        errors.append(float(effects[left_out] @ solution - wanted[left_out]))
    return errors


def systems() -> dict[str, System]:
    """Return the least-squares problem of each phase."""
    update = _system(
        lambda time: time.update_s,
        _cases(),
        [{"flops_share": 1.0}, {"update_s": 1.0}],
        targets=_hours("update"),
    )
    return {
        "t_R": _system(
            lambda time: time.rollout_s,
            _cases(with_table_9=True),
            [{"bandwidth_share": 1.0}, {"step_s": 1.0}, {"row_s": 1.0}],
            targets=[*TABLE_9.values(), *_hours("rollout")],
        ),
        "t_T": update,
        "t_O": _system(
            lambda time: time.other_s,
            _cases(),
            [{"judge_s": 1.0}, {"fixed_s": 1.0}],
            targets=_hours("other"),
            given={"flops_share": _two_digits(1 / _solve(update)[0])},
        ),
    }


def _cases(*, with_table_9: bool = False) -> list[Callable[[Calibration, Phase], float]]:
    """Return one function per measured case that gives a phase's seconds, in the tables' order."""

    def of_table_7(calibration: Calibration, phase: Phase) -> float:
        return sum(share * phase(setup.time(calibration)) for share, setup in table_7())

    setups = [baseline(gpus) for gpus in TABLE_9] if with_table_9 else []
    setups += [baseline(32, updates) for updates in TABLE_8]
    plain = [lambda c, phase, setup=setup: phase(setup.time(c)) for setup in setups]
    return [*plain, of_table_7]


def _hours(phase: str) -> list[float]:
    return [row[phase] * 3_600 / STEPS for row in (*TABLE_8.values(), TABLE_7)]


def _system(
    phase: Phase,
    cases: Sequence[Callable[[Calibration, Phase], float]],
    units: Sequence[dict[str, float]],
    *,
    targets: Sequence[float],
    given: dict[str, float] | None = None,
) -> System:
    """Return the system with each case divided by its target, so that errors are relative."""
    base = replace(NOTHING, **(given or {}))
    already = np.array([case(base, phase) for case in cases])
    effects = np.array([[case(replace(base, **u), phase) for u in units] for case in cases])
    wanted = np.array(targets)
    return (effects - already[:, None]) / wanted[:, None], (wanted - already) / wanted


def _solve(system: System) -> Vector:
    """Return the non-negative factors of the units with the least squared relative errors.

    There are at most three factors, so every subset is solved, and the best solution without a
    negative factor is returned.
    """
    effects, wanted = system
    n = effects.shape[1]
    best, least = np.zeros(n), float(wanted @ wanted)
    for size in range(1, n + 1):
        for chosen in itertools.combinations(range(n), size):
            solution = np.zeros(n)
            solution[list(chosen)] = np.linalg.lstsq(effects[:, chosen], wanted, rcond=None)[0]
            rest = effects @ solution - wanted
            if (solution >= 0).all() and float(rest @ rest) < least:
                best, least = solution, float(rest @ rest)
    return best


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


if __name__ == "__main__":
    main()
