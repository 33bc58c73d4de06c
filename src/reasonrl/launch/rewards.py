"""Open the reward components of a recipe: shipped formulas, and workers for functions.

Training and evaluation import the functions; nothing else does. A run keeps a copy of every file
that decides what a function does, and a resumed run uses its copies.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reasonrl.errors import ConfigError
from reasonrl.recipe import (
    ChoiceReward,
    Component,
    FormatReward,
    FunctionReward,
    JudgeReward,
    LanguageReward,
    LengthReward,
    OverlongReward,
    RepetitionReward,
    VerifierReward,
    VerifyConfig,
)
from reasonrl.reward import shipped
from reasonrl.reward.endpoint import AskSettings
from reasonrl.reward.judge import JudgeScorer, JudgeSpec
from reasonrl.reward.pool import FunctionPool, FunctionSpec
from reasonrl.reward.scoring import Groups, Rewards, Scorer, of_each, of_problem, of_verdict
from reasonrl.reward.total import Term
from reasonrl.run.copies import own_copy
from reasonrl.run.layout import CODE, VOTES
from reasonrl.types import Score

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRewards:
    """The started components of a recipe; `function` is None for a recipe without components."""

    function: Rewards | None
    pools: tuple[FunctionPool, ...] = ()
    rubrics: tuple[Path, ...] = ()

    def keep_code(self, code: Path) -> None:
        """Copy functions' files and rubrics into a run, whose workers use the copies from now on.

        Files of installed packages stay out. Raises ConfigError where two different files would
        have one name.
        """
        copies: dict[Path, Path] = {}
        for pool in self.pools:
            files = [Path(file) for file in pool.files]
            for file in files:
                copy = code / file.relative_to(files[0].parent)
                if copies.setdefault(copy, file) != file:
                    raise _same_name(file, copies[copy], pool.spec.name)
        for file in self.rubrics:
            if copies.setdefault(code / file.name, file) != file:
                raise _same_name(file, copies[code / file.name], "of a judge")
        for copy, file in copies.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        try:
            for pool in self.pools:
                if pool.files:
                    pool.use_file(code / Path(pool.files[0]).name)
        except ConfigError:
            shutil.rmtree(code)
            raise


@contextmanager
def open_rewards(
    components: Sequence[Component],
    verify: VerifyConfig,
    *,
    run: Path,
    logs: Path,
    note: Note,
) -> Iterator[OpenRewards]:
    """Start what the components need.

    `run` is the directory whose own copies of files are used where it has them. Raises ConfigError
    for a function that cannot be loaded.
    """
    if not components:
        yield OpenRewards(function=None)
        return
    scorers: list[Scorer] = []
    pools: list[FunctionPool] = []
    rubrics: list[Path] = []
    with ExitStack() as stack:
        for component in components:
            if isinstance(component, FunctionReward):
                pool = stack.enter_context(FunctionPool(_spec(component, run / CODE, logs, note)))
                pool.start()
                pools.append(pool)
                scorers.append(_with_pool(pool, verify.max_failed_share, note))
            elif isinstance(component, JudgeReward):
                rubric = own_copy(component.rubric, run)
                votes = logs.parent / VOTES / f"{component.label}.jsonl"
                judge = stack.enter_context(JudgeScorer(_judge_spec(component, rubric), votes))
                note(f"asking the judge {component.label} at {component.url}")
                judge.check()
                rubrics.append(component.rubric)
                scorers.append(judge)
            else:
                scorers.append(_shipped(component))
        rewards = Rewards(
            terms=tuple(map(term_of, components)),
            scorers=tuple(scorers),
            early=tuple(one.begin for one in scorers if isinstance(one, JudgeScorer)),
        )
        yield OpenRewards(function=rewards, pools=tuple(pools), rubrics=tuple(rubrics))


def _same_name(file: Path, other: Path, name: str) -> ConfigError:
    return ConfigError(
        f"{file} and {other} have one name",
        where=f"reward {name}",
        remedy="rename one of the two files: a run keeps all of them in one folder",
    )


def _spec(component: FunctionReward, code: Path, logs: Path, note: Note) -> FunctionSpec:
    where, _, attribute = component.function.rpartition(":")
    if where.endswith(".py"):
        where = str(_file_of(Path(where), code, note))
    return FunctionSpec(
        name=component.label,
        function=f"{where}:{attribute}",
        batch=component.batch,
        workers=component.workers,
        deadline_s=component.deadline_s,
        log=str((logs / f"reward-{component.label}.log").resolve()),
    )


def _judge_spec(component: JudgeReward, rubric: Path) -> JudgeSpec:
    try:
        text = rubric.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the rubric cannot be read: {error}",
            where=f"reward {component.label}",
            expected="a text file that says what a good answer is",
            remedy="correct rubric",
        ) from error
    return JudgeSpec(
        name=component.label,
        url=component.url,
        model=component.model,
        key_variable=component.key_variable,
        rubric=text,
        scale=component.scale,
        votes=component.votes,
        shows_key=component.shows_key,
        whole=component.shows_thought,
        settings=AskSettings.of(component),
    )


def _file_of(file: Path, code: Path, note: Note) -> Path:
    """Return the run's copy of a file where there is one, and say when the original differs."""
    copy = code / file.name
    if not copy.exists():
        return file.resolve()
    for kept in sorted(code.rglob("*.py")):
        original = file.parent / kept.relative_to(code)
        if original.exists() and original.read_bytes() != kept.read_bytes():
            note(
                f"{original} has changed since the run began, which goes on with its own copy "
                f"{kept}; to train with the new file: `reasonrl train RECIPE --from {code.parent}`"
            )
    return copy.resolve()


def _with_pool(pool: FunctionPool, max_failed_share: float, note: Note) -> Scorer:
    """Return the component of a function; its first traceback is told once."""
    has_told = False

    def scorer(groups: Groups) -> list[list[Score]]:
        nonlocal has_told
        calls = groups if pool.spec.batch else [[record] for group in groups for record in group]
        scores = iter(pool.run(calls, max_failed_share=max_failed_share))
        if pool.first_trace and not has_told:
            has_told = True
            note(f"reward {pool.spec.name} failed and masks rollouts; the first time:")
            note(pool.first_trace.rstrip())
        if pool.spec.batch:
            return list(scores)
        return [[next(scores)[0] for _ in group] for group in groups]

    return scorer


def _shipped(component: Component) -> Scorer:
    match component:
        case VerifierReward():
            return of_verdict
        case FormatReward(thought=thought, box=box):
            return of_each(partial(shipped.has_form, thought=thought, box=box))
        case OverlongReward(buffer=buffer, limit=limit):
            return of_each(partial(shipped.overlong, buffer=buffer, limit=limit))
        case LengthReward():
            return of_problem(shipped.short_and_right)
        case RepetitionReward(words=words):
            return of_each(partial(shipped.repetition, words=words))
        case LanguageReward(script=script):
            return of_each(partial(shipped.in_script, script=script))
        case ChoiceReward(letters=letters):
            return of_each(partial(shipped.choice, letters=letters))
    raise ValueError(f"{component.type} is no component that is shipped")


def term_of(component: Component) -> Term:
    """Return a component's part in the total reward."""
    return Term(
        name=component.label,
        weight=component.weight,
        is_gate=component.combine == "gate",
        bounds=component.bounds,
    )
