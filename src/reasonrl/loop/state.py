"""What decides the next step besides the engine's tensors, and two rules that read it.

All of it is JSON data and part of every checkpoint. Called by `trainer` and `launch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from reasonrl.algo import entropy
from reasonrl.algo.entropy import EntropyControl, EntropyState
from reasonrl.recipe import EntropyConfig, Recipe, Stage


@dataclass(slots=True, kw_only=True)
class TrainState:
    """Hold all that decides the next step besides the engine's tensors. JSON data throughout.

    `accuracies` are this stage's, one a step; `last_scores` each problem's share of right answers
    at its last visit in this stage; `dropped` the problems taken out at the stage's start.
    """

    step: int = 0
    stage: int = 0
    stage_step: int = 0
    version: int = 0
    coefficient: float = 0.0
    gate_open: bool = True
    start_nats: float | None = None
    sampler: str = ""
    accuracies: list[float] = field(default_factory=list)
    last_scores: dict[str, float] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    train_wall_s: float = 0.0

    @property
    def entropy(self) -> EntropyState:
        """Return the controller's part of the state."""
        return EntropyState(c=self.coefficient, is_open=self.gate_open, start_nats=self.start_nats)

    @entropy.setter
    def entropy(self, state: EntropyState) -> None:
        self.coefficient, self.gate_open = state.c, state.is_open
        self.start_nats = state.start_nats

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def initial_state(recipe: Recipe) -> TrainState:
    """Return the state before the first step."""
    state = TrainState()
    state.entropy = entropy.initial_state(entropy_control(recipe.stage[0].entropy))
    return state


def entropy_control(config: EntropyConfig) -> EntropyControl:
    """Translate the recipe's table."""
    return EntropyControl(
        mode=config.mode,
        target_nats=config.target_nats,
        target_share=config.target_share,
        delta=config.delta,
        minimum=config.minimum,
        maximum=config.maximum,
        initial=config.initial,
    )


def has_plateaued(accuracies: Sequence[float], stage: Stage) -> bool:
    """Say whether the last window of steps gained less than asked on the window before it."""
    if stage.plateau is None or len(accuracies) < 2 * stage.plateau.window:
        return False
    window = stage.plateau.window
    last = sum(accuracies[-window:]) / window
    previous = sum(accuracies[-2 * window : -window]) / window
    return last - previous < stage.plateau.min_gain
