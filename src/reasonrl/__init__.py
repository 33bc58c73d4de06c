"""Reinforcement learning that makes language models reason: the Skywork-OR1 system, complete."""

__version__ = "0.1.0"
