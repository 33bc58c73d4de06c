"""Show a plan: memory by component, time by phase, cost."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.table import Table
from rich.text import Text

from reasonrl.planning.calibrated import ReportNumber
from reasonrl.planning.gpus import GIB
from reasonrl.planning.host import gpus_of_node
from reasonrl.planning.layout import EngineLayout
from reasonrl.planning.parts import MemoryEstimate
from reasonrl.planning.peers import shares
from reasonrl.planning.plan import Plan, StagePlan
from reasonrl.planning.timing import CALIBRATED_ROWS, LEFT_OUT
from reasonrl.terminal import Console


def show_plan(console: Console, plan: Plan) -> None:
    """Print a plan, and what to change where it does not fit."""
    machine = "one process" if plan.layout.is_one_process else f"{plan.layout.gpus} processes"
    if plan.gpu is not None:
        machine = plan.gpu.label(plan.layout.gpus)
    millions = plan.shape.parameters / 1e6
    size = f"{millions / 1e3:.1f}B" if millions >= 1_000 else f"{millions:.3g}M"
    console.note(f"{plan.name}: {plan.model} ({size} parameters) on {machine}")
    console.print(_memory_table(plan))
    if plan.gpu is None:
        console.note("no GPU: whether this fits depends on the memory of the machine")
    elif plan.fits:
        console.note(f"fits on {machine}")
    else:
        short = [stage.name for stage in plan.stages if not stage.memory.fits]
        console.note(f"does not fit on {machine}: {', '.join(short)}; {plan.remedy}")
    if plan.untimed:
        console.note(plan.untimed)
        return
    console.print(_time_table(plan))
    console.note(
        f"in all {plan.hours:,.0f} hours, {plan.gpu_hours:,.0f} GPU-hours, {plan.usd:,.0f} USD "
        f"at {plan.gpu_hour_usd:g} USD a GPU-hour"
        + (", an assumed price; pass yours with --gpu-hour-usd" if plan.is_price_assumed else "")
    )
    most = max(stage.time.rows for stage in plan.stages if stage.time)
    if most > CALIBRATED_ROWS:
        console.note(
            f"t_R is extrapolated: up to {most} rollouts run side by side on a replica; it was "
            f"calibrated with at most {CALIBRATED_ROWS}"
        )
    errors = ", ".join(f"{phase} {error:.0%}" for phase, error in LEFT_OUT.items())
    low, high = shares()
    console.note(
        f"the report's own measurements, each predicted from the others, are off by up to {errors}"
    )
    console.note(
        f"published steps of another system took {low:.2f} to {high:.2f} of such a time "
        "(docs/planning.md)"
    )
    console.note("evaluations, checkpoints and failures take further time")


def show_errors(console: Console, rows: Sequence[ReportNumber], *, all_rows: bool) -> None:
    """Print the errors of the time formulas on the report's tables, with all rows if asked."""
    if all_rows:
        table = Table("table", "quantity", title="Tables 7 to 9 of the report")
        for heading in ("report", "predicted", "error"):
            table.add_column(heading, justify="right")
        for row in rows:
            form = "{:.3f}" if row.report < 1 else "{:.1f}"
            numbers = (form.format(row.report), form.format(row.predicted))
            table.add_row(row.table, row.quantity, *numbers, f"{row.error:+.1%}")
        console.print(table)
    errors = [abs(row.error) for row in rows]
    console.note(
        f"calibrated on Tables 7 to 9: worst error {100 * max(errors):.0f} %, "
        f"median {100 * median(errors):.1f} %"
    )


def _memory_table(plan: Plan) -> Table:
    """Return a table with the components as rows and the stages as columns."""
    each = "a GPU" if plan.gpu is not None else "a process"
    table = Table("memory, GiB " + each)
    for stage in plan.stages:
        table.add_column(Text(stage.name), justify="right")
    _add_role(table, "learner", [stage.memory.learner for stage in plan.stages])
    _add_role(table, "sampler", [stage.memory.rollout for stage in plan.stages])
    memories = [stage.memory for stage in plan.stages]
    table.add_row("peak", *(_gib(memory.peak_bytes) for memory in memories))
    if plan.gpu is not None:
        table.add_row("of", *(_gib(memory.gpu_bytes or 0.0) for memory in memories))
        _add_largest(table, "token_budget", [stage.token_budget for stage in plan.stages])
        if plan.layout.samples_with_learner:
            _add_largest(table, "max_rows", [stage.max_rows for stage in plan.stages])
    if plan.gpu is not None and plan.layout.samples_with_vllm:
        full, mean = ([m.rows_full for m in memories], [m.rows_mean for m in memories])
        table.add_row("rollouts in a cache, full length", *map(str, full))
        table.add_row("rollouts in a cache, mean length", *map(str, mean))
    if any(memory.host.parts for memory in memories):
        table.add_section()
        _add_role(table, _host(plan.layout), [memory.host for memory in memories])
    return table


def _host(layout: EngineLayout) -> str:
    """Return what the host is called: that of the machine, or of a node of the cluster."""
    return "host" if layout.gpus == 1 else f"host of {gpus_of_node(layout)} GPUs"


def _add_largest(table: Table, key: str, values: Sequence[int | None]) -> None:
    """Add the row of the largest value of a key that fits in each stage."""
    cells = ("none" if value is None else f"{value:,}" for value in values)
    table.add_row(f"largest {key}", *cells)


def _add_role(table: Table, role: str, memories: Sequence[MemoryEstimate]) -> None:
    for name in dict.fromkeys(name for memory in memories for name, _ in memory.parts):
        sizes = [dict(memory.parts).get(name, 0.0) for memory in memories]
        table.add_row(f"{role}: {name}", *map(_gib, sizes))
    table.add_row(f"{role}, in all", *(_gib(memory.total_bytes) for memory in memories))
    table.add_section()


def _time_table(plan: Plan) -> Table:
    columns = ("rollouts", "T", "updates", "t_R s", "longest s", "t_T s", "t_O s", "step s")
    table = Table("stage", "steps", title="time of a step, and of a stage")
    for heading in (*columns, "hours", "GPU-hours", "USD"):
        table.add_column(heading, justify="right")
    for stage in plan.stages:
        table.add_row(Text(stage.name), *_time_cells(stage, plan.gpu_hour_usd))
    return table


def _time_cells(stage: StagePlan, usd: float) -> list[str]:
    if stage.time is None:
        return []
    time = stage.time
    seconds = (time.rollout_s, time.longest_s, time.update_s, time.other_s, time.total_s)
    return [
        f"{stage.first_step}-{stage.last_step}",
        f"{stage.prompts} x {stage.group_size}",
        f"{stage.max_new_tokens:,}",
        str(stage.updates),
        *(f"{phase_s:,.0f}" for phase_s in seconds),
        f"{stage.hours:,.0f}",
        f"{stage.gpu_hours:,.0f}",
        f"{stage.gpu_hours * usd:,.0f}",
    ]


def _gib(size: float) -> str:
    gib = size / GIB
    return f"{gib:.1f}" if gib >= 1 else f"{gib:.3f}"
