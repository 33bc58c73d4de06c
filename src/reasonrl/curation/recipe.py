"""What a training set is made of and how: the recipe of `reasonrl data build`.

One file a data set, strict like every recipe. Loaded by `cli_data` through `recipe_file`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from reasonrl.recipe import (
    NAME,
    CodeBenchmark,
    EngineConfig,
    FileSource,
    LiveCodeBench,
    LocalEngineConfig,
    MathBenchmark,
    Strict,
    VerifyConfig,
)

RawType = Literal[
    "numina", "deepscaler", "still3", "omni-math", "aime", "math", "gsm8k",
    "taco", "leetcode", "or1", "file",
]  # fmt: skip


class RawSource(Strict):
    """Where candidates come from; docs/data.md lists the types.

    Without `path` the files come from the hub. `name` is the data_source of the training set, and
    has a default for every type but `file`. `subsets` keeps some parts of a source; `before` keeps
    AIME problems of earlier years (2024); `columns` tells which fields of a file hold problem,
    answer, solution and id.
    """

    type: RawType
    path: Path | None = None
    name: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    subsets: tuple[str, ...] = ()
    before: int | None = None
    columns: dict[Literal["problem", "answer", "solution", "id"], str] = Field(default={})
    limit: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check(self) -> RawSource:
        if self.type == "file" and not (self.path and self.name):
            raise ValueError("a source of type file needs path and name")
        if self.columns and self.type != "file":
            raise ValueError(f"columns are for type file; {self.type} has its own")
        if self.before is not None and self.type != "aime":
            raise ValueError(f"before is for type aime, not {self.type}")
        return self


class CleanConfig(Strict):
    """Which faults of a problem's text are tolerated, and how solutions are used.

    `allow` names reasons that drop nothing. `solutions`: "if-any" compares the answer with that of
    the given solution where there is one, "required" drops what has none, "ignore" compares none.
    """

    allow: tuple[
        Literal[
            "proof", "multiple-choice", "several-parts", "link", "figure", "translation",
            "answer-in-words",
        ],
        ...,
    ] = ()  # fmt: skip
    max_chars: int = Field(default=20_000, ge=100)
    solutions: Literal["if-any", "required", "ignore"] = "if-any"
    references: Literal["run", "ignore"] = "run"
    reference_s: float = Field(default=60.0, gt=0)


class SemanticConfig(Strict):
    """Duplicates by meaning among problems of mathematics, with a static embedding model (extra
    `semantic`)."""

    model: str
    threshold: float = Field(default=0.9, gt=0, le=1)


class DedupConfig(Strict):
    """When two problems are one. `near` is the share of words in common order, 1.1 for never."""

    near: float = Field(default=0.75, ge=0.5, le=1.1)
    renumbered: bool = True
    semantic: SemanticConfig | None = None


class DecontaminateConfig(Strict):
    """When a candidate is too much like a protected problem.

    `near` as for duplicates; `contained` is the share of a protected problem's own runs of eight
    words that makes a candidate hold it.
    """

    near: float = Field(default=0.75, ge=0.5, le=1.1)
    contained: float = Field(default=0.8, gt=0, le=1.1)


class DifficultyConfig(Strict):
    """Whose difficulty is measured, how, and which problems are kept.

    `lowest` and `highest` are failures of 16 that are kept, scaled where fewer are sampled. `name`
    is the model's name in the training set. With `early` a problem whose fate is certain is sampled
    no more, so its pass rate is known less well.
    """

    model: str
    name: str = ""
    math_rollouts: int = Field(default=16, ge=1)
    code_rollouts: int = Field(default=8, ge=1)
    temperature: float = Field(default=1.0, ge=0)
    max_new_tokens: int = Field(default=32_768, ge=1)
    system_prompt: str | None = None
    lowest: int = Field(default=1, ge=0, le=16)
    highest: int = Field(default=15, ge=0, le=16)
    early: bool = True
    engine: EngineConfig = LocalEngineConfig()
    verify: VerifyConfig = VerifyConfig()

    @model_validator(mode="after")
    def _check(self) -> DifficultyConfig:
        if self.lowest > self.highest:
            raise ValueError("lowest is above highest, so nothing could be kept")
        return self


class JudgeConfig(Strict):
    """A model behind an OpenAI-compatible endpoint; its key is read from the environment."""

    name: str = Field(pattern=NAME)
    url: str = Field(pattern=r"^https?://")
    model: str
    key_variable: str = ""


class QualityConfig(Strict):
    """Who judges problems of mathematics, how often, and how many "valid" of all votes keep one.

    `budget` bounds the requests of one command; the next goes on. `attempts` are those of a vote.
    """

    judge: tuple[JudgeConfig, ...] = Field(min_length=1)
    votes: int = Field(default=16, ge=1)
    keep: int = Field(default=9, ge=0)
    temperature: float = Field(default=1.0, ge=0)
    max_tokens: int = Field(default=1_024, ge=16)
    concurrency: int = Field(default=16, ge=1)
    timeout_s: float = Field(default=60.0, gt=0)
    attempts: int = Field(default=6, ge=1)
    budget: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check(self) -> QualityConfig:
        if self.keep > self.votes * len(self.judge):
            raise ValueError("keep asks for more votes than there are")
        names = [one.name for one in self.judge]
        if len(set(names)) < len(names):
            raise ValueError("two judges of one name")
        return self


class PublishConfig(Strict):
    """What is published: shares held out, and how often a source's rows are repeated or thinned.

    `mix` has for a source the factor by which its rows are multiplied: 2 twice each, 0.5 half of
    them, always the same ones.
    """

    validation: float = Field(default=0.0, ge=0, lt=1)
    mix: dict[str, Annotated[float, Field(ge=0, le=100)]] = Field(default={})


Protected = Annotated[
    MathBenchmark | CodeBenchmark | LiveCodeBench | FileSource, Field(discriminator="type")
]


class DataRecipe(Strict):
    """A training set from its raw sources."""

    guide: ClassVar[str] = "docs/curation.md"

    name: str = Field(pattern=NAME)
    seed: int = 0
    workers: int = Field(default=2, ge=1, le=256)
    license: str = "other"
    source: tuple[RawSource, ...] = Field(min_length=1)
    clean: CleanConfig = CleanConfig()
    dedup: DedupConfig = DedupConfig()
    decontaminate: DecontaminateConfig = DecontaminateConfig()
    protected: tuple[Protected, ...] = ()
    difficulty: DifficultyConfig | None = None
    quality: QualityConfig | None = None
    publish: PublishConfig = PublishConfig()

    @model_validator(mode="after")
    def _check(self) -> DataRecipe:
        names = [source_name(one) for one in self.source]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two sources named {min(twice)}; give one another `name`")
        return self


HOW: Any = {
    "workers": True,
    "difficulty": {"engine": True, "verify": {"workers", "max_failed_share"}},
    "quality": {"concurrency", "timeout_s", "attempts", "budget"},
}
"""The keys that say where and how fast, and not what: two machines may differ in them."""

_NAMES: dict[RawType, str] = {
    "numina": "train-math-numinamath1.5", "deepscaler": "train-math-deepscaler",
    "still3": "train-math-still3", "omni-math": "train-math-omni-math", "aime": "train-math-aime",
    "math": "train-math-math", "gsm8k": "train-math-gsm8k", "taco": "train-code-taco",
    "leetcode": "train-code-leetcode", "or1": "or1", "file": "",
}  # fmt: skip


def source_name(source: RawSource) -> str:
    """Return the data_source of a source's rows, parts of it left out."""
    return source.name or _NAMES[source.type]


def model_name(model: str) -> str:
    """Return what a model is called where no path of a machine may stand."""
    return Path(model).name if model[:1] in "/.~" else model
