"""From a recipe's sources to the encoded problems of each stage and suite, checked.

Everything that is wrong with the data is found here, before a run directory exists. A new kind of
source has its fields in `recipe.sources` and its line in `load_source`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from reasonrl.data.benchmarks import load_benchmark, load_livecodebench
from reasonrl.data.functions import function_problems
from reasonrl.data.problems import collect_problems
from reasonrl.data.sampler import filter_difficulty
from reasonrl.data.sources import arithmetic_problems, gym_problems
from reasonrl.errors import DataError
from reasonrl.recipe import (
    ArithmeticSource,
    CodeBenchmark,
    DataConfig,
    EvalRecipe,
    FileSource,
    FunctionsSource,
    GivenSource,
    GymSource,
    HubSource,
    LiveCodeBench,
    MathBenchmark,
    Recipe,
    Source,
    Stage,
    Suite,
)
from reasonrl.rollout.problems import (
    EncodedProblem,
    Tokenizer,
    check_context,
    encode_problems,
    within_prompt_limit,
)
from reasonrl.rollout.rows import read_source_rows
from reasonrl.seeds import derive_seed
from reasonrl.types import Kind, Problem
from reasonrl.verify.code.tests import read_tests

SuitePools: TypeAlias = dict[str, list[EncodedProblem]]
"""Each suite's encoded problems, by the suite's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The problems of every stage, in the stages' order, and of every suite, by name.

    `dropped` are the ids that stages leave out because no verifier reads their answers.
    """

    stages: tuple[list[EncodedProblem], ...]
    suites: SuitePools
    dropped: frozenset[str] = frozenset()


def has_programs(lists: Iterable[Sequence[EncodedProblem]]) -> bool:
    """Return whether the answer to any problem is a program."""
    return any(item.problem.kind is Kind.CODE for problems in lists for item in problems)


ProblemLists: TypeAlias = dict[str, list[Problem]]
"""Problems by their `sources` in JSON: a list that stages share is loaded once."""


def sources_of(recipe: Recipe) -> list[tuple[Source, ...]]:
    """Return the sources of every stage and suite."""
    stages = (stage.data.sources for stage in recipe.stage)
    return [*stages, *(suite.sources for suite in recipe.suite)]


def load_problem_lists(
    wanted: Iterable[Sequence[Source]],
    *,
    is_keyed: bool = True,
    given: Mapping[str, Sequence[object]] | None = None,
) -> ProblemLists:
    """Load each distinct list of sources; raise DataError for tasks that cannot be judged.

    Without `is_keyed`, where no verifier is asked, a row needs no answer. `given` are the rows of
    sources of type "given", by their names.
    """
    lists: ProblemLists = {}
    for sources in wanted:
        if (key := list_key(sources)) not in lists:
            lists[key] = [
                replace(problem, part=part) if part else problem
                for part, source in enumerate(sources)
                for problem in load_source(source, is_keyed=is_keyed, given=given)
            ]
            _check_problems(lists[key], is_keyed=is_keyed)
    return lists


def list_key(sources: Sequence[Source]) -> str:
    """Return the key of a list of sources in `ProblemLists`."""
    return "\n".join(source.model_dump_json() for source in sources)


def encode_pools(
    recipe: Recipe,
    lists: ProblemLists,
    tokenizer: Tokenizer,
    context: int,
    *,
    dropped: frozenset[str] = frozenset(),
) -> Pools:
    """Apply the chat template to each list once, then each stage's filters and limits.

    `dropped` are the ids of problems that stages leave out. Raises DataError when a stage cannot
    fill a step, ConfigError when a prompt does not fit the model's context.
    """
    encoded = _encode(lists, tokenizer, recipe.model.system_prompt)
    stages = []
    for stage in recipe.stage:
        listed = encoded[list_key(stage.data.sources)]
        pool = within_prompt_limit(
            _filtered(stage.data, [item for item in listed if item.problem.id not in dropped]),
            max_prompt_tokens=stage.rollout.max_prompt_tokens,
            max_new_tokens=stage.rollout.max_new_tokens,
            context=context,
            where=f"stage {stage.name}",
        )
        _check_fills_a_step(stage, len(pool))
        stages.append(pool)
    suites = _suite_pools(recipe.suite, encoded, context)
    return Pools(stages=tuple(stages), suites=suites, dropped=dropped)


def longest_context(recipe: Recipe, pools: Pools) -> int:
    """Return the most tokens that a prompt and its completion can have together in a run."""
    in_stages = max(
        _longest(pool) + stage.rollout.max_new_tokens
        for pool, stage in zip(pools.stages, recipe.stage, strict=True)
    )
    return max(in_stages, longest_in_suites(recipe.suite, pools.suites))


def longest_in_suites(suites: Iterable[Suite], pools: SuitePools) -> int:
    """Return the most tokens that a prompt and its completion can have in suites; 0 without any."""
    return max((_longest(pools[suite.name]) + suite.max_new_tokens for suite in suites), default=0)


def _longest(pool: Sequence[EncodedProblem]) -> int:
    return max(len(item.tokens) for item in pool)


def encode_suites(
    recipe: EvalRecipe, lists: ProblemLists, tokenizer: Tokenizer, context: int
) -> SuitePools:
    """Return each suite's encoded problems; ConfigError when a prompt does not fit the context."""
    return _suite_pools(recipe.suite, _encode(lists, tokenizer, recipe.system_prompt), context)


def _encode(
    lists: ProblemLists, tokenizer: Tokenizer, system_prompt: str | None
) -> dict[str, list[EncodedProblem]]:
    return {
        key: encode_problems(problems, tokenizer, system_prompt=system_prompt)
        for key, problems in lists.items()
    }


def _suite_pools(
    suites: Sequence[Suite], encoded: Mapping[str, list[EncodedProblem]], context: int
) -> SuitePools:
    return {
        suite.name: _suite_pool(suite, encoded[list_key(suite.sources)], context)
        for suite in suites
    }


def _suite_pool(suite: Suite, encoded: list[EncodedProblem], context: int) -> list[EncodedProblem]:
    """Apply a suite's limit; raise when a problem does not fit, and never leave it out silently."""
    if suite.limit is not None:
        order = sorted(encoded, key=lambda item: derive_seed("limit", item.problem.id))
        chosen = {item.problem.id for item in order[: suite.limit]}
        encoded = [item for item in encoded if item.problem.id in chosen]
    check_context(
        encoded,
        max_new_tokens=suite.max_new_tokens,
        context=context,
        where=f"suite {suite.name}",
    )
    return encoded


def load_source(
    source: Source,
    *,
    is_keyed: bool = True,
    given: Mapping[str, Sequence[object]] | None = None,
) -> list[Problem]:
    """Return the problems of one `sources` entry; without `is_keyed` a row needs no answer."""
    match source:
        case FileSource():
            rows = read_source_rows(source, is_keyed=is_keyed)
            return collect_problems(rows, where=str(source.path))
        case HubSource():
            rows = read_source_rows(source, is_keyed=is_keyed)
            return collect_problems(rows, where=source.repository)
        case GivenSource():
            rows = read_source_rows(source, is_keyed=is_keyed, given=given)
            return collect_problems(rows, where=source.name)
        case ArithmeticSource():
            return arithmetic_problems(
                operators=source.operators,
                max_operand=source.max_operand,
                split=source.split,
                heldout=source.heldout,
            )
        case FunctionsSource():
            return function_problems(split=source.split, heldout=source.heldout)
        case GymSource():
            return gym_problems(
                source.task, size=source.size, seed=source.seed, config=source.config
            )
        case MathBenchmark():
            return load_benchmark(
                source.type, path=source.path, style=source.style, split=source.split or "test"
            )
        case CodeBenchmark():
            return load_benchmark(source.type, path=source.path, split=source.split or "test")
        case LiveCodeBench():
            return load_livecodebench(
                path=source.path, since=source.since, until=source.until, release=source.release
            )


def _check_problems(problems: Sequence[Problem], *, is_keyed: bool) -> None:
    seen: set[str] = set()
    for problem in problems:
        if problem.kind is Kind.CODE and is_keyed:
            _check_tests(problem)
        if problem.id in seen:
            raise DataError(
                f"two sources hold a problem with id {problem.id!r}", remedy="rename one of the two"
            )
        seen.add(problem.id)


def _check_tests(problem: Problem) -> None:
    try:
        read_tests(problem.answer)
    except DataError as error:
        raise DataError(
            error.what,
            where=f"problem {problem.id!r}",
            expected=error.expected,
            remedy=error.remedy,
        ) from error


def _check_fills_a_step(stage: Stage, n_problems: int) -> None:
    if n_problems < stage.rollout.prompts_per_step:
        raise DataError(
            f"stage {stage.name}: {n_problems} problems cannot fill a step",
            where="rollout.prompts_per_step",
            expected=f"at most {n_problems}",
            remedy="lower prompts_per_step or add problems",
        )


def _filtered(data: DataConfig, encoded: list[EncodedProblem]) -> list[EncodedProblem]:
    if data.difficulty is None:
        return encoded
    wanted = data.difficulty
    problems = [item.problem for item in encoded]
    kept = filter_difficulty(problems, wanted.model, minimum=wanted.minimum, maximum=wanted.maximum)
    ids = {problem.id for problem in kept}
    return [item for item in encoded if item.problem.id in ids]
