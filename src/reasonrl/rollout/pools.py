"""From a recipe's sources to the encoded problems of each stage and suite, checked.

Called by `launch` before a run directory exists: everything wrong with the data is found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from reasonrl.data.benchmarks import load_benchmark, load_livecodebench
from reasonrl.data.functions import function_problems
from reasonrl.data.problems import load_problems
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
    GymSource,
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
from reasonrl.seeds import derive_seed
from reasonrl.types import Kind, Problem
from reasonrl.verify.code.tests import read_tests

SuitePools: TypeAlias = dict[str, list[EncodedProblem]]
"""Each suite's problems with their prompts, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """Hold what each stage may draw from, by place, and each suite's problems, by name."""

    stages: tuple[list[EncodedProblem], ...]
    suites: SuitePools


def has_programs(lists: Iterable[Sequence[EncodedProblem]]) -> bool:
    """Say whether any answer will be a program to run."""
    return any(one.problem.kind is Kind.CODE for problems in lists for one in problems)


ProblemLists: TypeAlias = dict[str, list[Problem]]
"""Problems by the `sources` they came from, in JSON: a list that stages share is loaded once."""


def sources_of(recipe: Recipe) -> list[tuple[Source, ...]]:
    """Return the sources of every stage and suite."""
    stages = (stage.data.sources for stage in recipe.stage)
    return [*stages, *(suite.sources for suite in recipe.suite)]


def load_problem_lists(wanted: Iterable[Sequence[Source]]) -> ProblemLists:
    """Load each distinct list of sources; raise DataError for tasks that cannot be judged."""
    found: ProblemLists = {}
    for sources in wanted:
        if (key := _key(sources)) not in found:
            found[key] = [problem for one in sources for problem in load_source(one)]
            _check_problems(found[key])
    return found


def _key(sources: Sequence[Source]) -> str:
    return "\n".join(source.model_dump_json() for source in sources)


def encode_pools(
    recipe: Recipe,
    lists: ProblemLists,
    tokenizer: Tokenizer,
    context: int,
) -> Pools:
    """Apply the chat template, once to each list, and then each stage's filters and limits.

    Raises when a stage cannot fill a step or a prompt does not fit the model's context.
    """
    encoded = _encode(lists, tokenizer, recipe.model.system_prompt)
    stages = []
    for stage in recipe.stage:
        pool = within_prompt_limit(
            _filtered(stage.data, encoded[_key(stage.data.sources)]),
            max_prompt_tokens=stage.rollout.max_prompt_tokens,
            max_new_tokens=stage.rollout.max_new_tokens,
            context=context,
            where=f"stage {stage.name}",
        )
        _check_fills_a_step(stage, len(pool))
        stages.append(pool)
    suites = _suite_pools(recipe.suite, encoded, context)
    return Pools(stages=tuple(stages), suites=suites)


def longest_context(recipe: Recipe, pools: Pools) -> int:
    """Return the tokens of the longest prompt and completion that the run can have together."""
    in_stages = max(
        _longest(pool) + stage.rollout.max_new_tokens
        for pool, stage in zip(pools.stages, recipe.stage, strict=True)
    )
    return max(in_stages, longest_in_suites(recipe.suite, pools.suites))


def longest_in_suites(suites: Iterable[Suite], pools: SuitePools) -> int:
    """Return the same for suites, 0 for none."""
    return max((_longest(pools[suite.name]) + suite.max_new_tokens for suite in suites), default=0)


def _longest(pool: Sequence[EncodedProblem]) -> int:
    return max(len(one.tokens) for one in pool)


def encode_suites(
    recipe: EvalRecipe, lists: ProblemLists, tokenizer: Tokenizer, context: int
) -> SuitePools:
    """Return each suite's problems with their prompts; raise when one does not fit the context."""
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
        suite.name: _suite_pool(suite, encoded[_key(suite.sources)], context) for suite in suites
    }


def _suite_pool(suite: Suite, encoded: list[EncodedProblem], context: int) -> list[EncodedProblem]:
    """Apply a suite's limit and check that all its problems fit: none is ever left out quietly."""
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


def load_source(source: Source) -> list[Problem]:
    """Return the problems of one `sources` entry."""
    match source:
        case FileSource():
            return load_problems(source.path)
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
            return load_benchmark(source.type, path=source.path, style=source.style)
        case CodeBenchmark():
            return load_benchmark(source.type, path=source.path)
        case LiveCodeBench():
            return load_livecodebench(
                path=source.path, since=source.since, until=source.until, release=source.release
            )


def _check_problems(problems: Sequence[Problem]) -> None:
    seen: set[str] = set()
    for problem in problems:
        if problem.kind is Kind.CODE:
            _check_tests(problem)
        if problem.id in seen:
            raise DataError(
                f"two sources hold a problem with id {problem.id!r}", remedy="rename one of them"
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
