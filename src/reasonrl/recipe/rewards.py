"""The components of a rollout's reward: the `[[reward]]` tables. docs/rewards.md has the formulas.

A recipe without any has the verifier's reward alone. The total of a rollout is
(the sum of weight x value over the components with combine = "sum") x (the product of the values of
those with combine = "gate").
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from reasonrl.recipe.sources import Strict

NAME = r"^([A-Za-z0-9][A-Za-z0-9_-]*)?$"


class Component(Strict):
    """What every component has."""

    needs_verifier: ClassVar[bool] = False

    type: str
    """The kind of component."""
    name: str = Field(default="", pattern=NAME)
    """The component's name in metrics and files; its type if it is left out."""
    weight: float = Field(default=1.0, allow_inf_nan=False)
    """The factor of the value in the sum; a component with weight 0 is only recorded."""
    combine: Literal["sum", "gate"] = "sum"
    """Add the weighted value to the total, or multiply the total by the value."""
    bounds: tuple[float, float] | None = None
    """The smallest and the largest value; a value outside is moved to the nearer one."""

    @model_validator(mode="after")
    def _check_component(self) -> Component:
        if self.combine == "gate" and self.weight not in (0.0, 1.0):
            raise ValueError("a gate multiplies the total and has no weight; remove weight")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError("bounds are [smallest, largest]; put the smaller number first")
        return self

    @property
    def label(self) -> str:
        """Return the component's name in metrics and files."""
        return self.name or self.type

    @property
    def is_recorded_only(self) -> bool:
        """Return whether the component is left out of the total."""
        return self.weight == 0.0


class VerifierReward(Component):
    """The verdict of the math and code verifiers, as `[verify]` sets them up."""

    type: Literal["verifier"]
    """The kind of component."""


class FunctionReward(Component):
    """A Python function of one's own."""

    type: Literal["function"]
    """The kind of component."""
    function: str = Field(pattern=r"^.+:[A-Za-z_]\w*$")
    """`FILE.py:NAME` beside the recipe, or `package.module:NAME`."""
    batch: bool = False
    """The function takes the rollouts of one problem as a list and returns a list of values."""
    workers: int = Field(default=1, ge=1)
    """Processes that run the function."""
    deadline_s: float = Field(default=10.0, gt=0)
    """Seconds of one call, after which its worker is replaced and its rollouts are masked."""


class JudgeReward(Component):
    """A language model behind an OpenAI-compatible endpoint, which scores answers by a rubric."""

    type: Literal["judge"]
    """The kind of component."""
    url: str = Field(pattern=r"^https?://")
    """The endpoint, such as `http://127.0.0.1:8000/v1`."""
    model: str
    """The model's name at the endpoint."""
    key_variable: str = ""
    """The environment variable that holds the endpoint's key; none is sent if it is left out."""
    rubric: Path
    """A text file that says what a good answer is; it starts at the recipe's directory."""
    scale: tuple[float, float] = (0.0, 10.0)
    """The lowest and the highest score; they become the values 0 and 1."""
    votes: int = Field(default=1, ge=1)
    """Scores of each answer; the value is their mean."""
    shows_key: bool = False
    """Whether the judge sees the problem's answer."""
    shows_thought: bool = False
    """Whether the judge sees the whole response, or only what follows the thought."""
    temperature: float = Field(default=0.0, ge=0)
    """The judge's temperature; votes differ only above 0."""
    max_tokens: int = Field(default=1024, ge=16)
    """The longest answer of the judge, in tokens."""
    concurrency: int = Field(default=16, ge=1)
    """Requests at a time."""
    timeout_s: float = Field(default=60.0, gt=0)
    """Seconds of one request."""
    attempts: int = Field(default=6, ge=1)
    """Requests for one score before it counts as missing."""
    budget: int | None = Field(default=None, ge=1)
    """Requests of one command; the next command continues."""

    @model_validator(mode="after")
    def _check_judge(self) -> JudgeReward:
        if not self.scale[0] < self.scale[1]:
            raise ValueError("scale is [lowest, highest]; put the smaller number first")
        if self.votes > 1 and self.temperature == 0.0:
            raise ValueError("votes at temperature 0 are alike; set a temperature, or votes = 1")
        return self


class FormatReward(Component):
    """1 where the response has the asked form, else 0."""

    type: Literal["format"]
    """The kind of component."""
    thought: Literal["required", "optional", "forbidden"] = "required"
    """Whether one thought must be opened and closed before the answer."""
    box: bool = True
    """Whether the answer must have exactly one complete box."""


class OverlongReward(Component):
    """The soft overlong penalty of DAPO: 0 up to a length, then falling to -1 at the limit."""

    type: Literal["overlong"]
    """The kind of component."""
    buffer: int = Field(ge=1)
    """The last tokens before the limit, over which the penalty grows."""
    limit: int | None = Field(default=None, ge=1)
    """The length with the full penalty, in tokens; the stage's `max_new_tokens` if left out."""


class LengthReward(Component):
    """Favour short right answers of a group: the length reward of Kimi k1.5."""

    needs_verifier = True

    type: Literal["length"]
    """The kind of component."""


class RepetitionReward(Component):
    """Minus the share of a response's n-grams of words that repeat an earlier one."""

    type: Literal["repetition"]
    """The kind of component."""
    words: int = Field(default=4, ge=1)
    """The length n of the n-grams, in words."""


class LanguageReward(Component):
    """The share of a response's letters that belong to a script."""

    type: Literal["language"]
    """The kind of component."""
    script: Literal[
        "latin", "cyrillic", "greek", "arabic", "hebrew", "devanagari", "han", "kana", "hangul"
    ] = "latin"
    """The script; "kana" takes Han letters too, as Japanese does."""


class ChoiceReward(Component):
    """1 where the answer chooses the letter that the problem's key names, else 0."""

    type: Literal["choice"]
    """The kind of component."""
    letters: str = Field(default="ABCDE", pattern=r"^[A-Z]{2,26}$")
    """The letters to choose from."""


Reward = Annotated[
    VerifierReward
    | FunctionReward
    | JudgeReward
    | FormatReward
    | OverlongReward
    | LengthReward
    | RepetitionReward
    | LanguageReward
    | ChoiceReward,
    Field(discriminator="type"),
]


def has_verifier(components: Sequence[Component]) -> bool:
    """Return whether the verifier is asked: without any component, and with its own."""
    return not components or any(isinstance(one, VerifierReward) for one in components)


def check_components(components: Sequence[Component]) -> None:
    """Raise ValueError for components that do not make a total."""
    labels = [one.label for one in components]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise ValueError(f"two reward tables are named {min(twice)!r}; give one another `name`")
    summed = [one for one in components if one.combine == "sum" and not one.is_recorded_only]
    if components and not summed:
        raise ValueError('no reward table adds to the total; set combine = "sum" and a weight')
    for one in components:
        if one.needs_verifier and not has_verifier(components):
            raise ValueError(
                f"{one.label} asks for the verifier's verdicts; add a table with "
                'type = "verifier", with weight = 0 to leave it out of the total'
            )
