"""Engines in other processes and on other nodes, as Ray actors. No other package imports Ray."""

from reasonrl.engines.remote.cluster import Seat, check_room, connect, node_seats
from reasonrl.engines.remote.crew import Crew
from reasonrl.engines.remote.learner import RankEngine, RemoteLearner
from reasonrl.engines.remote.rollout import RemoteRollout

__all__ = [
    "Crew",
    "RankEngine",
    "RemoteLearner",
    "RemoteRollout",
    "Seat",
    "check_room",
    "connect",
    "node_seats",
]
