"""What a training set is made of and how: the recipe of `reasonrl data build`.

One TOML file for each data set, strict like every recipe. `cli/data.py` reads it with
`recipe.toml`.
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
    check_test_halves,
)

RawType = Literal[
    "numina", "deepscaler", "still3", "omni-math", "aime", "math", "gsm8k",
    "taco", "leetcode", "or1", "file",
]  # fmt: skip


class RawSource(Strict):
    """A source of candidates; docs/curation.md lists the types.

    Without `path` the files come from the hub. `name` is the data_source in the training set, with
    a default for every type except `file`. `subsets` names the parts of the source to keep (all if
    empty). `split` is the half of gsm8k, a benchmark, or the split of a folder. `before` keeps AIME
    problems of earlier years (2024 if left out). `columns` names the fields of a file that hold
    problem, answer, solution and id. `limit` keeps the first rows.
    """

    type: RawType
    path: Path | None = None
    name: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    subsets: tuple[str, ...] = ()
    split: Literal["train", "test"] | None = None
    before: int | None = None
    columns: dict[Literal["problem", "answer", "solution", "id"], str] = Field(default={})
    limit: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check(self) -> RawSource:
        if self.type == "file" and not (self.path and self.name):
            raise ValueError("a source of type file needs path and name; set both")
        if self.columns and self.type != "file":
            raise ValueError(f"columns are for type file; remove them from type {self.type}")
        if self.before is not None and self.type != "aime":
            raise ValueError(f"before is for type aime; remove it from type {self.type}")
        if self.type == "gsm8k" and self.split is None:
            raise ValueError(
                "gsm8k is a benchmark, and a training set with its test half spoils every score "
                'on it; set split = "train" or split = "test"'
            )
        if self.split and self.path is None and self.type != "gsm8k":
            raise ValueError(f"split is for gsm8k and for a folder; remove it from {self.type}")
        return self


class CleanConfig(Strict):
    """The faults that are tolerated in a problem's text, and the use of solutions.

    `allow` names reasons that drop nothing; `max_chars` bounds a problem's text. `solutions`:
    "if-any" compares the answer with the answer in the source's solution if there is one,
    "required" also drops rows without a solution, "ignore" compares nothing. `references` = "run"
    runs a program's reference solution on its tests, for at most `reference_s` seconds.
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
    """Duplicates by meaning among problems of mathematics, with a static embedding model.

    `threshold` is the least cosine of two vectors. Needs the extra `semantic`.
    """

    model: str
    threshold: float = Field(default=0.9, gt=0, le=1)


class DedupConfig(Strict):
    """When two problems are the same. `near` is the share of words in common order, 1.1 for never.

    With `renumbered`, problems that differ only in their numbers are the same.
    """

    near: float = Field(default=0.75, ge=0.5, le=1.1)
    renumbered: bool = True
    semantic: SemanticConfig | None = None


class DecontaminateConfig(Strict):
    """When a candidate is too similar to a protected problem.

    `near` as for duplicates. A candidate contains a protected problem if it has the share
    `contained` of the runs of eight words that no other protected problem has.
    """

    near: float = Field(default=0.75, ge=0.5, le=1.1)
    contained: float = Field(default=0.8, gt=0, le=1.1)


class DifficultyConfig(Strict):
    """The model for which difficulty is measured, the sampling, and the problems to keep.

    `lowest` and `highest` are the failures of 16 that are kept, scaled if fewer are sampled. `name`
    is the model's name in the training set. With `early` sampling of a problem stops once it is
    certain to be kept or dropped, so its pass rate is known less well.
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
            raise ValueError("lowest is above highest, so no problem could be kept; swap them")
        return self


class JudgeConfig(Strict):
    """A model behind an OpenAI-compatible endpoint.

    Its key is read from the environment variable `key_variable`; empty sends no key.
    """

    name: str = Field(pattern=NAME)
    url: str = Field(pattern=r"^https?://")
    model: str
    key_variable: str = ""


class QualityConfig(Strict):
    """The judges of problems of mathematics, the votes of each, and the bar.

    A problem needs `keep` votes "valid" of all votes of all judges. `budget` bounds the requests of
    one command; the next command continues. `attempts` bounds the requests for one vote.
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
            raise ValueError("keep exceeds votes times judges; lower keep or raise votes")
        names = [judge.name for judge in self.judge]
        if len(set(names)) < len(names):
            raise ValueError("two judges have the same name; rename one of them")
        return self


class PublishConfig(Strict):
    """What is published: the share held out for validation, and the mix of the sources.

    `mix` maps a data_source to a factor for its rows: 2 writes each row twice, 0.5 writes half of
    the rows, the same half in every build.
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
        check_test_halves(self.protected)
        names = [source_name(source) for source in self.source]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two sources are named {min(twice)}; give one of them another `name`")
        return self


HOW: Any = {
    "workers": True,
    "difficulty": {"engine": True, "verify": {"workers", "max_failed_share"}},
    "quality": {"concurrency", "timeout_s", "attempts", "budget"},
}
"""The keys that decide where and how fast a build runs, and not its result: the manifest leaves
them out."""

_NAMES: dict[RawType, str] = {
    "numina": "train-math-numinamath1.5", "deepscaler": "train-math-deepscaler",
    "still3": "train-math-still3", "omni-math": "train-math-omni-math", "aime": "train-math-aime",
    "math": "train-math-math", "gsm8k": "train-math-gsm8k", "taco": "train-code-taco",
    "leetcode": "train-code-leetcode", "or1": "or1", "file": "",
}  # fmt: skip


def source_name(source: RawSource) -> str:
    """Return the data_source of a source's rows, without the subset that a row may add."""
    return source.name or _NAMES[source.type]


def model_name(model: str) -> str:
    """Return a model's name for files that are shared: of a path only the last part."""
    return Path(model).name if model[:1] in "/.~" else model
