"""Check an export: plain transformers gives the model's answers the same scores as the engine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from reasonrl.engines.local import LocalEngine
from reasonrl.errors import RefusedError
from reasonrl.launch.actors import adapted
from reasonrl.launch.judges import judge_with, make_verifier
from reasonrl.models.hf import LanguageModel, as_directory, load_model
from reasonrl.models.plain import PlainScore, score_plainly
from reasonrl.models.random import is_tiny
from reasonrl.recipe import Recipe
from reasonrl.report.drawing.scale import spread
from reasonrl.rollout.pools import encode_pools, load_problem_lists, sources_of
from reasonrl.rollout.problems import EncodedProblem, item_of, turns_of
from reasonrl.types import Completion, Logprobs, Prompt, Sampling

_ANSWERS, _TOKENS = 8, 64
"""Answers that are compared, and the most tokens of each."""

_CLOSE = 1e-3
"""The largest distance of two float32 computations of a log-probability, in nats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An export: its directory, and the answers, tokens and largest difference of its check."""

    directory: Path
    answers: int
    tokens: int
    gap_nats: float


def check_export(
    scratch: Path,
    directory: Path,
    model: LanguageModel,
    engine: LocalEngine,
    recipe: Recipe,
    *,
    adapter: Path | None = None,
) -> Exported:
    """Answer some problems with the engine, and have plain transformers score the answers.

    An `adapter` is scored, too: on the model that training started from, by plain peft.
    """
    items = _some_problems(recipe, model)
    longest = max(len(item.tokens) for item in items)
    limit = min(_TOKENS, model.context - longest)
    groups = engine.generate(
        [Prompt(tokens=item.tokens, seed=0) for item in items],
        Sampling(max_new_tokens=limit, temperature=0.0, stop=recipe.model.stop),
    )
    answers = [group[0] for group in groups]
    ours = engine.score(
        [(item.tokens, answer.tokens) for item, answer in zip(items, answers, strict=True)],
        temperature=1.0,
    )
    turns = [turns_of(item.problem, recipe.model.system_prompt) for item in items]
    asked = [(turn, answer.tokens) for turn, answer in zip(turns, answers, strict=True)]
    # The export's own template is the one that the run used.
    form = replace(model.tokenizer.form, template=None, name=None)
    plain = score_plainly(scratch, asked, form)
    gap = _largest_gap(items, ours, plain, directory)
    if adapter is not None:
        with started_from(recipe) as base:
            adapted = score_plainly(scratch, asked, form, adapter=adapter, base=base)
        gap = max(gap, _largest_gap(items, ours, adapted, directory / adapter.name))
    texts = [model.tokenizer.decode(answer.tokens) for answer in answers]
    _check_verdicts(items, answers, texts, [score.text for score in plain], recipe)
    return Exported(
        directory=directory,
        answers=len(items),
        tokens=sum(len(answer.tokens) for answer in answers),
        gap_nats=gap,
    )


@contextmanager
def started_from(recipe: Recipe) -> Iterator[Path]:
    """Give the directory of the model that the adapters stand on.

    It is written for a while where there is none: for `tiny`, and with matrices of 4 bits.
    """
    name, lora = recipe.model.name, recipe.model.lora
    is_packed = lora is not None and lora.is_packed
    if not is_tiny(name) and not is_packed:
        yield Path(as_directory(name))
        return
    with tempfile.TemporaryDirectory() as directory:
        # New adapters add nothing, so the merged model is the one that training started from.
        adapted(load_model(name, seed=recipe.seed), lora, seed=0).save(Path(directory))
        yield Path(directory)


def _largest_gap(
    items: Sequence[EncodedProblem],
    ours: Sequence[Logprobs],
    plain: Sequence[PlainScore],
    directory: Path,
) -> float:
    """Return the largest distance of two scores in nats; RefusedError when it is not rounding."""
    gap = 0.0
    for item, own, other in zip(items, ours, plain, strict=True):
        gap = max(gap, float(np.abs(own - other.logprobs).max()))
        is_greedy = bool((other.logprobs >= other.best - _CLOSE).all())
        if not np.array_equal(item.tokens, other.prompt) or gap > _CLOSE or not is_greedy:
            raise RefusedError(
                f"plain transformers gives the answer to {item.problem.id!r} other scores: "
                f"{gap:.1e} nats apart",
                where=str(directory),
                expected=f"the same prompt, and at most {_CLOSE:g}",
                remedy="nothing was exported; report this with the run's config.toml",
            )
    return gap


def _check_verdicts(
    items: Sequence[EncodedProblem],
    answers: Sequence[Completion],
    ours: Sequence[str],
    theirs: Sequence[str],
    recipe: Recipe,
) -> None:
    """Raise RefusedError unless both texts of each answer earn the same reward."""
    with make_verifier(recipe.verify) as verifier:
        judge = judge_with(verifier)
        both = [
            judge(
                [
                    item_of(item, text, answer.stop)
                    for item, answer, text in zip(items, answers, texts, strict=True)
                ]
            )
            for texts in (ours, theirs)
        ]
    if [verdict.reward for verdict in both[0]] != [verdict.reward for verdict in both[1]]:
        raise RefusedError(
            "the exported tokenizer decodes answers in another way",
            remedy="nothing was exported; report this with the run's config.toml",
        )


def _some_problems(recipe: Recipe, model: LanguageModel) -> list[EncodedProblem]:
    """Return problems of the first suite, or of the first stage where there is none."""
    lists = load_problem_lists(sources_of(recipe))
    pools = encode_pools(recipe, lists, model.tokenizer, model.context)
    pool = next(iter(pools.suites.values())) if pools.suites else pools.stages[0]
    return spread(pool, _ANSWERS)
