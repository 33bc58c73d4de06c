"""Engines in other processes and on other nodes, as Ray actors. No other package imports Ray."""

from reasonrl.engines.remote.cluster import Seat, check_room, connect, node_seats
from reasonrl.engines.remote.crew import Crew
from reasonrl.engines.remote.learner import RankEngine, RemoteLearner
from reasonrl.engines.remote.rollout import RemoteRollout
from reasonrl.engines.remote.turns import LearnerInTurn, RolloutInTurn, Turns

__all__ = [
    "Crew",
    "LearnerInTurn",
    "RankEngine",
    "RemoteLearner",
    "RemoteRollout",
    "RolloutInTurn",
    "Seat",
    "Turns",
    "check_room",
    "connect",
    "node_seats",
]
