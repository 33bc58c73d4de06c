"""Three schedules of the same work on 32 to 512 GPUs, simulated event by event.

    synchronous   all GPUs sample, then all learn, as in the report
    one ahead     some GPUs sample the next step while the others learn from this step: staleness 1
    partial       sampling never ends: new weights interrupt rollouts, which continue with them; a
                  group starts only if it can be learned from at most 4 versions later

The work is the 7B baseline of the report (16K, groups of 16). Lengths are drawn from the
distribution of `planning.lengths`, times are those of `planning.decode` and `planning.timing`.
Synchronous and one ahead judge the rollouts of a step together; partial judges each group when it
ends, one group after another. The caches of interrupted rollouts are computed again. Several splits
of the GPUs are tried; the best split is shown.

    python -m benchmarks.scale_sim
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import simpy

from benchmarks.scale_replica import ROWS, SHAPE, Process, Replica, Row
from reasonrl.planning.calibrated import H800, baseline
from reasonrl.planning.lengths import draw_length
from reasonrl.planning.timing import REPORT_SYSTEM, step_time

LIMIT, GROUP, STALENESS = 16_384, 16, 4
SCHEDULES = ("synchronous", "one ahead", "partial")
LEARNER_SHARES = (1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2)


@dataclass(slots=True)
class Cluster:
    """The replicas, the times of the learner, and the counts of a simulation."""

    env: simpy.Environment
    n_replicas: int
    n_ranks: int
    n_groups: int
    judge_s: float = REPORT_SYSTEM.judge_s
    seed: int = 1
    replicas: list[Replica] = field(default_factory=list)
    open_rows: dict[int, int] = field(default_factory=dict)
    ended: Callable[[int], None] = lambda _group: None
    learned_s: float = 0.0
    ends_s: list[float] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.replicas = [Replica(self.env, self._row_ended) for _ in range(self.n_replicas)]

    def start(self, group: int) -> None:
        """Give the rollouts of a group to the replicas with the lowest load."""
        drawn = random.Random(f"{self.seed}/{group}")
        self.open_rows[group] = GROUP
        for _ in range(GROUP):
            length = draw_length(drawn.random(), LIMIT)
            min(self.replicas, key=lambda replica: replica.load).add(Row(group, length))

    def _row_ended(self, row: Row) -> None:
        self.open_rows[row.group] -= 1
        if not self.open_rows[row.group]:
            del self.open_rows[row.group]
            self.ended(row.group)

    def learner_times(self) -> tuple[float, float, float]:
        """Return the seconds of one step's GPU work, of its judging and of its weight transfer."""
        setup = baseline(self.n_ranks)
        rollout = setup.stage.rollout.model_copy(update={"prompts_per_step": self.n_groups})
        stage = setup.stage.model_copy(update={"rollout": rollout})
        time = step_time(SHAPE, setup.layout, stage, H800)
        n_rollouts, moving_s = self.n_groups * GROUP, REPORT_SYSTEM.fixed_s
        work_s = time.update_s + time.other_s - n_rollouts * REPORT_SYSTEM.judge_s - moving_s
        return work_s, n_rollouts * self.judge_s, moving_s

    def sample(self, step: int) -> Process:
        """Sample all groups of a step."""
        done, left = self.env.event(), self.n_groups

        def one_ended(_group: int) -> None:
            nonlocal left
            left -= 1
            if not left:
                done.succeed()

        self.ended = one_ended
        for group in range(step * self.n_groups, (step + 1) * self.n_groups):
            self.start(group)
        yield done

    def learn(self) -> Process:
        """Judge, learn and move the weights."""
        work_s, judge_s, moving_s = self.learner_times()
        yield self.env.timeout(work_s + judge_s + moving_s)
        self.learned_s += work_s


def synchronous(cluster: Cluster, steps: int) -> Process:
    """Sample, then learn."""
    for step in range(steps):
        yield cluster.env.process(cluster.sample(step))
        yield cluster.env.process(cluster.learn())
        cluster.gaps.append(0)
        cluster.ends_s.append(cluster.env.now)


def one_ahead(cluster: Cluster, steps: int) -> Process:
    """Sample the next step while learning from this one."""
    yield cluster.env.process(cluster.sample(0))
    for step in range(1, steps + 1):
        learning = cluster.env.process(cluster.learn())
        yield cluster.env.process(cluster.sample(step)) & learning
        cluster.gaps.append(int(step > 1))
        cluster.ends_s.append(cluster.env.now)


class Partial:
    """A schedule that keeps the replicas full within the allowed staleness.

    It learns from the groups that are ready.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.version = self.started = 0
        self.born: dict[int, int] = {}
        self.judged: list[int] = []
        self.change = cluster.env.event()
        self.driver = simpy.Resource(cluster.env)
        cluster.ended = lambda group: cluster.env.process(self._judge(group))

    def run(self, steps: int) -> Process:
        cluster = self.cluster
        work_s, _, moving_s = cluster.learner_times()
        self._fill()
        for _ in range(steps):
            while not self._is_ready():
                self.change = cluster.env.event()
                yield self.change
            self.judged.sort(key=lambda group: self.born[group])
            taken, self.judged = self.judged[: cluster.n_groups], self.judged[cluster.n_groups :]
            cluster.gaps.extend(self.version - self.born.pop(group) for group in taken)
            yield cluster.env.timeout(work_s)
            cluster.learned_s += work_s
            for replica in cluster.replicas:
                replica.renew(moving_s)
            yield cluster.env.timeout(moving_s)
            self.version += 1
            cluster.ends_s.append(cluster.env.now)
            self._fill()

    def _is_ready(self) -> bool:
        """Return whether a step's groups are ready and include all groups that are due."""
        due = sum(born <= self.version - STALENESS for born in self.born.values())
        due_judged = sum(self.born[group] <= self.version - STALENESS for group in self.judged)
        return len(self.judged) >= self.cluster.n_groups and due == due_judged

    def _fill(self) -> None:
        allowed = (self.version + STALENESS + 1) * self.cluster.n_groups
        room = len(self.cluster.replicas) * ROWS // GROUP
        while self.started < allowed and len(self.cluster.open_rows) < room:
            self.born[self.started] = self.version
            self.cluster.start(self.started)
            self.started += 1

    def _judge(self, group: int) -> Process:
        self._fill()
        with self.driver.request() as turn:
            yield turn
            yield self.cluster.env.timeout(GROUP * self.cluster.judge_s)
        self.judged.append(group)
        if not self.change.triggered:
            self.change.succeed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a simulation, without its first quarter."""

    steps_per_hour: float
    utilisation: float
    gap: float
    learners: int


def simulate(schedule: str, cluster: Cluster, gpus: int, steps: int) -> Result:
    """Return the result of one schedule, counted after its first quarter."""
    runs: dict[str, Callable[[], Process]] = {
        "synchronous": lambda: synchronous(cluster, steps),
        "one ahead": lambda: one_ahead(cluster, steps),
        "partial": lambda: Partial(cluster).run(steps),
    }
    process = cluster.env.process(runs[schedule]())
    first = max(1, steps // 4)
    while len(cluster.ends_s) < first:
        cluster.env.step()
    busy_s = _busy_s(cluster)
    cluster.env.run(until=process)
    span_s = cluster.ends_s[-1] - cluster.ends_s[first - 1]
    return Result(
        steps_per_hour=3_600 * (steps - first) / span_s,
        utilisation=(_busy_s(cluster) - busy_s) / (gpus * span_s),
        gap=sum(cluster.gaps) / len(cluster.gaps),
        learners=cluster.n_ranks,
    )


def _busy_s(cluster: Cluster) -> float:
    sampled = sum(replica.busy_s for replica in cluster.replicas)
    return sampled + cluster.n_ranks * cluster.learned_s


def best(
    schedule: str,
    gpus: int,
    n_groups: int,
    steps: int,
    judge_s: float = REPORT_SYSTEM.judge_s,
) -> Result:
    """Return the result of the best split; in the synchronous schedule every GPU has both roles."""
    learners = [round(gpus * share) for share in LEARNER_SHARES]
    splits = [(gpus - ranks, ranks) for ranks in learners]
    if schedule == "synchronous":
        splits = [(gpus, gpus)]
    tried = [
        simulate(
            schedule,
            Cluster(simpy.Environment(), replicas, ranks, n_groups, judge_s),
            gpus,
            steps,
        )
        for replicas, ranks in splits
    ]
    return max(tried, key=lambda result: result.steps_per_hour)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gpus", type=int, nargs="+", default=[32, 64, 128, 256, 512])
    parser.add_argument("--rollouts", type=int, nargs="+", default=[1_024, 4_096])
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--judge-s", type=float, default=REPORT_SYSTEM.judge_s)
    options = parser.parse_args()
    print("| rollouts | GPUs | synchronous: steps/h, busy | one ahead | partial |")
    print("|---|---|---|---|---|")
    for rollouts in options.rollouts:
        for gpus in options.gpus:
            found = [
                best(schedule, gpus, rollouts // GROUP, options.steps, options.judge_s)
                for schedule in SCHEDULES
            ]
            cells = [_cell(result, found[0], gpus) for result in found]
            print(f"| {rollouts:,} | {gpus} | " + " | ".join(cells) + " |", flush=True)


def _cell(result: Result, base: Result, gpus: int) -> str:
    """Return the steps per hour, gain over the first schedule, busy share, learners, staleness."""
    busy = f"{result.utilisation:.0%}"
    if result.learners == gpus:
        return f"{result.steps_per_hour:.1f}, {busy}"
    gain = result.steps_per_hour / base.steps_per_hour
    return (
        f"{result.steps_per_hour:.1f} (x {gain:.2f}), {busy}, "
        f"{result.learners} learn, {result.gap:.1f} stale"
    )


if __name__ == "__main__":
    main()
