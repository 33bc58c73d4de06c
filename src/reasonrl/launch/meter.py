"""Measure the difficulty of problems: a model's k answers each, sampled and judged as in training.

Samples go through the journal of evaluations, so a stopped slice continues sample by sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reasonrl.curation.ratings.difficulty import RIGHT, UNJUDGED, WRONG
from reasonrl.curation.recipe import DifficultyConfig
from reasonrl.curation.rows import Candidate, content_of
from reasonrl.engines.process import keep_freed_memory
from reasonrl.engines.threads import use_threads
from reasonrl.errors import ConfigError
from reasonrl.evaluation.journal import FileJournal, Identity
from reasonrl.evaluation.suite import sample_and_judge
from reasonrl.launch.engines import open_cluster
from reasonrl.launch.models import find_model, open_tokenizer
from reasonrl.launch.subject import Subject, open_subject
from reasonrl.recipe import PromptConfig
from reasonrl.rollout.problems import EncodedProblem, encode_problems
from reasonrl.run.problem_sets import problems_digest, prompts_digest
from reasonrl.terminal import Console, silent
from reasonrl.types import Kind, Message, Problem, Sampling, Verdict

_PURPOSE = "difficulty"


class ModelMeter:
    """Sample answers of one model and count the right ones."""

    def __init__(self, subject: Subject, config: DifficultyConfig, *, seed: int, room: int) -> None:
        self._subject = subject
        self._config = config
        self._seed = seed
        self._room = room

    @property
    def weights(self) -> str:
        return self._subject.weights

    def sample(self, rows: Sequence[Candidate], k: Sequence[int], scratch: Path) -> list[str]:
        """Return the outcomes of k answers of each row, in order.

        A prompt that leaves no room for an answer counts as never solved.
        """
        encoded = self._encode(rows)
        fitting = [row for row, item in enumerate(encoded) if len(item.tokens) <= self._room]
        outcomes = [WRONG * attempts for attempts in k]
        journal = FileJournal(scratch, self._identity())
        try:
            for size in sorted(set(k)):
                self._sample([encoded[n] for n in fitting if k[n] == size], size, journal)
            verdicts = journal.verdicts()
        finally:
            journal.close()
        for row in fitting:
            name = encoded[row].problem.id
            outcomes[row] = "".join(_outcome(verdicts[name, n]) for n in range(k[row]))
        return outcomes

    def _sample(self, encoded: Sequence[EncodedProblem], k: int, journal: FileJournal) -> None:
        config = self._config
        sampling = Sampling(
            max_new_tokens=config.max_new_tokens, temperature=config.temperature, group_size=k
        )
        sample_and_judge(
            _PURPOSE,
            self._subject.engine,
            self._subject.model.tokenizer,
            self._subject.judge,
            encoded,
            sampling,
            journal,
            run_seed=self._seed,
            phase=silent,
        )

    def _encode(self, rows: Sequence[Candidate]) -> list[EncodedProblem]:
        problems = [_problem(row) for row in rows]
        tokenizer = self._subject.model.tokenizer
        return encode_problems(problems, tokenizer, system_prompt=self._config.system_prompt)

    def _identity(self) -> Identity:
        """Return the identity of a journal's samples: weights and chat template, not problems."""
        probe = self._encode([_PROBE])
        return Identity(
            weights=self.weights, problems=problems_digest(probe), prompts=prompts_digest(probe)
        )


@contextmanager
def open_meter(
    config: DifficultyConfig, directory: Path, console: Console, *, seed: int
) -> Iterator[ModelMeter]:
    """Load the model and its judge; raise ConfigError if the context has no room for answers."""
    named = find_model(config.model)
    _, context = open_tokenizer(named)
    room = context - config.max_new_tokens
    if room < 1:
        raise ConfigError(
            f"difficulty.max_new_tokens = {config.max_new_tokens}",
            expected=f"less than the context of {config.model}, {context} tokens",
        )
    use_threads(config.engine.threads)
    keep_freed_memory()
    with (
        open_cluster(config.engine, None),
        open_subject(
            named,
            config.engine,
            config.verify,
            [],
            directory,
            console,
            seed=seed,
            context_tokens=context,
            prompts=PromptConfig(system_prompt=config.system_prompt),
        ) as subject,
    ):
        yield ModelMeter(subject, config, seed=seed, room=room)


def _outcome(verdict: Verdict) -> str:
    if verdict.reward is None:
        return UNJUDGED
    return RIGHT if verdict.reward == 1.0 else WRONG


def _problem(row: Candidate) -> Problem:
    return Problem(
        # Not the row's own id: the journal outlives a build, and ids may come to mean other rows.
        id=content_of(row),
        prompt=(Message(role="user", content=row.problem),),
        answer=row.answer,
        kind=Kind(row.kind),
        source=row.source,
    )


_PROBE = Candidate(uid="probe", source="", kind="math", problem="What is 1 + 1?", answer="2")
