"""The votes of judges behind endpoints on problems: cast once, checked, and none made up.

An answer that still has no rating after all attempts is recorded as a missing vote.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from reasonrl.curation.ratings.quality import (
    BAD,
    GOOD,
    Vote,
    is_trusted,
    prompt_of,
    read_rating,
    reasons_of,
)
from reasonrl.curation.recipe import JudgeConfig, QualityConfig
from reasonrl.curation.rows import Candidate, content_of
from reasonrl.errors import ConfigError, EngineError, StorageError
from reasonrl.reward.endpoint import (
    Asker,
    Asking,
    AskSettings,
    BudgetSpent,
    first_of,
    run_apart,
)
from reasonrl.reward.ledger import Ledger

_MAX_MISSING = 0.5  # share of a judge's votes; above it the judge is at fault, not the problems


class Judges:
    """The judges of a recipe; counts requests, because the budget holds for the whole command."""

    def __init__(self, config: QualityConfig) -> None:
        self._config = config
        self._asker = Asker(AskSettings.of(config))
        self._trusted: set[str] = set()

    def vote(
        self, rows: Sequence[Candidate], ballot: Ledger[Vote], count: Callable[[int], None]
    ) -> None:
        """Add to the ballot until every judge has cast `votes` votes on every row.

        Raises BudgetSpent when the requests are used up, ConfigError for an endpoint that refuses
        the requests, EngineError for a judge that does not answer or cannot tell bad problems from
        good ones.
        """
        try:
            run_apart(self._vote(rows, ballot, count))
        except* BudgetSpent:
            raise BudgetSpent from None
        except* (ConfigError, EngineError, StorageError) as group:
            raise first_of(group) from None

    async def _vote(
        self, rows: Sequence[Candidate], ballot: Ledger[Vote], count: Callable[[int], None]
    ) -> None:
        uids = [content_of(row) for row in rows]
        async with self._asker.connected() as asking:
            for judge in self._config.judge:
                if judge.name not in self._trusted and self._lacks_votes(judge, uids, ballot):
                    await self._check(asking, judge)
            async with asyncio.TaskGroup() as group:
                for uid, row in zip(uids, rows, strict=True):
                    group.create_task(self._row(asking, uid, row, ballot, count))
        self._check_missing(uids, ballot)

    async def _row(
        self,
        asking: Asking,
        uid: str,
        row: Candidate,
        ballot: Ledger[Vote],
        count: Callable[[int], None],
    ) -> None:
        for judge in self._config.judge:
            for place in range(self._config.votes):
                if _is_cast(ballot, uid, judge, place):
                    continue
                text = await asking.ask(judge, prompt_of(row), _has_rating)
                ballot.add(
                    Vote(
                        uid=uid,
                        judge=judge.name,
                        place=place,
                        valid=None if text is None else read_rating(text),
                        reasons="" if text is None else reasons_of(text),
                    )
                )
        count(1)

    def _lacks_votes(self, judge: JudgeConfig, uids: Sequence[str], ballot: Ledger[Vote]) -> bool:
        return any(
            not _is_cast(ballot, uid, judge, place)
            for uid in uids
            for place in range(self._config.votes)
        )

    async def _check(self, asking: Asking, judge: JudgeConfig) -> None:
        """Have a judge rate problems of known quality; raise EngineError if it rates them badly.

        The budget does not count these requests: every command that needs votes repeats them.
        """
        known = (*GOOD, *BAD)
        texts = await asyncio.gather(
            *(asking.ask(judge, prompt_of(row), _has_rating, is_counted=False) for row in known)
        )
        if all(text is None for text in texts):
            raise EngineError(
                f"the judge {judge.name} does not answer: {self._asker.failures.get(judge.name)}",
                where=judge.url,
                remedy="start its server, correct url, or raise quality.timeout_s",
            )
        ratings = [None if text is None else read_rating(text) for text in texts]
        good, bad = ratings[: len(GOOD)], ratings[len(GOOD) :]
        if not is_trusted(good, bad):
            raise EngineError(
                f"the judge {judge.name} calls {good.count(True)} of {len(good)} good problems "
                f"valid and {bad.count(False)} of {len(bad)} broken problems invalid",
                where=judge.url,
                expected="three of four each",
                remedy="choose another model, or raise quality.max_tokens if it is cut off",
            )
        self._trusted.add(judge.name)

    def _check_missing(self, uids: Sequence[str], ballot: Ledger[Vote]) -> None:
        for judge in self._config.judge:
            votes = [
                ballot.entries[uid, judge.name, place]
                for uid in uids
                for place in range(self._config.votes)
            ]
            missing = sum(vote.valid is None for vote in votes)
            if missing > _MAX_MISSING * len(votes):
                raise EngineError(
                    f"{missing} of {len(votes)} answers of the judge {judge.name} have no rating",
                    where=judge.url,
                    remedy="check the server's log, or choose another model",
                )


def _is_cast(ballot: Ledger[Vote], uid: str, judge: JudgeConfig, place: int) -> bool:
    """Return whether a vote was cast; a missing vote, recorded without a rating, was not."""
    vote = ballot.entries.get((uid, judge.name, place))
    return vote is not None and vote.valid is not None


def _has_rating(text: str) -> bool:
    return read_rating(text) is not None
