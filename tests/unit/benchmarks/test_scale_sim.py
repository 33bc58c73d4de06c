"""The simulation of schedules: one replica is the formula, nothing is lost, nothing too stale."""

import pytest

from reasonrl.planning.decode import replica_s

simpy = pytest.importorskip("simpy", reason="the simulation needs the extra `bench`")
sim = pytest.importorskip("benchmarks.scale_sim")
replicas = pytest.importorskip("benchmarks.scale_replica")


def test_one_replica_takes_as_long_as_the_formula_says():
    env, ended = simpy.Environment(), []
    replica = replicas.Replica(env, ended.append)
    lengths = [100.0 * number for number in range(1, 33)]
    for length in lengths:
        replica.add(replicas.Row(0, length))
    env.run()
    assert len(ended) == 32
    assert replica.busy_s == pytest.approx(replica_s(replicas.COST, lengths, replicas.ROWS))


def test_news_change_nothing_but_the_time_they_take():
    env, ended = simpy.Environment(), []
    replica = replicas.Replica(env, ended.append)
    replica.add(replicas.Row(0, 1_000.0))
    env.run(until=5.0)
    replica.renew(2.0)
    env.run()
    assert len(ended) == 1
    read_s = env.now - 2.0 - replica_s(replicas.COST, [1_000.0], replicas.ROWS)
    assert (
        0
        < read_s
        == pytest.approx(replicas.READ_S * (replicas.PROMPT_TOKENS + 5.0 / 0.0122), rel=0.1)
    )


@pytest.mark.parametrize("learners", [1, 4])
def test_partial_rollouts_are_learned_from_once_and_never_too_late(learners):
    env = simpy.Environment()
    cluster = sim.Cluster(env, 8 - learners, learners, 8)
    partial = sim.Partial(cluster)
    env.run(until=env.process(partial.run(12)))
    assert len(cluster.gaps) == 12 * 8
    assert 0 <= min(cluster.gaps) <= max(cluster.gaps) <= sim.STALENESS
    assert partial.started <= (12 + sim.STALENESS + 1) * 8
    assert len(partial.born) == partial.started - 12 * 8  # what runs or waits


def test_schedules_that_wait_for_less_are_faster():
    found = [sim.best(one, 32, 16, 8) for one in ("synchronous", "one ahead", "partial")]
    assert found == sorted(found, key=lambda result: result.steps_per_hour)
    assert all(0 < result.utilisation <= 1 for result in found)
