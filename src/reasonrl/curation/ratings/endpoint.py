"""The client of judges behind OpenAI-compatible endpoints: concurrent, with retries and a budget.

A time-out, a refusal for load, a server error and an answer in another form are retried, with
growing waits. An answer that still has no rating is recorded as a missing vote; no vote is ever
made up. An error that a retry cannot mend stops the build at once.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import httpx2

from reasonrl.curation.ratings.ledger import Ledger
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

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_MAX_MISSING = 0.5  # share of a judge's votes; above it the judge is at fault, not the problems
_RETRIED = frozenset({408, 409, 425, 429})  # status codes, as is every code from 500


class _Useless(Exception):
    """Report an answer that cannot be used; `wait_s` is the wait that its server asks for."""

    def __init__(self, what: str, wait_s: float = 0.0) -> None:
        super().__init__(what)
        self.wait_s = wait_s


class BudgetSpent(Exception):
    """Report that the command has made all requests that `quality.budget` allows."""


class Judges:
    """The judges of a recipe; counts requests, because the budget holds for the whole command."""

    def __init__(self, config: QualityConfig) -> None:
        self._config = config
        self._requests = 0
        self._trusted: set[str] = set()
        self._failures: dict[str, str] = {}

    def vote(
        self, rows: Sequence[Candidate], ballot: Ledger[Vote], count: Callable[[int], None]
    ) -> None:
        """Add to the ballot until every judge has cast `votes` votes on every row.

        Raises BudgetSpent when the requests are used up, ConfigError for an endpoint that refuses
        the requests, EngineError for a judge that does not answer or cannot tell bad problems from
        good ones.
        """
        try:
            asyncio.run(self._vote(rows, ballot, count))
        except* BudgetSpent:
            raise BudgetSpent from None
        except* (ConfigError, EngineError, StorageError) as group:
            raise _first(group) from None

    async def _vote(
        self, rows: Sequence[Candidate], ballot: Ledger[Vote], count: Callable[[int], None]
    ) -> None:
        slots = asyncio.Semaphore(self._config.concurrency)
        uids = [content_of(row) for row in rows]
        async with httpx2.AsyncClient(timeout=self._config.timeout_s) as client:
            for judge in self._config.judge:
                if judge.name not in self._trusted and self._lacks_votes(judge, uids, ballot):
                    await self._check(client, slots, judge)
            async with asyncio.TaskGroup() as group:
                for uid, row in zip(uids, rows, strict=True):
                    group.create_task(self._row(client, slots, uid, row, ballot, count))
        self._check_missing(uids, ballot)

    async def _row(
        self,
        client: httpx2.AsyncClient,
        slots: asyncio.Semaphore,
        uid: str,
        row: Candidate,
        ballot: Ledger[Vote],
        count: Callable[[int], None],
    ) -> None:
        for judge in self._config.judge:
            for place in range(self._config.votes):
                if _is_cast(ballot, uid, judge, place):
                    continue
                text = await self._ask(client, slots, judge, prompt_of(row))
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

    async def _check(
        self, client: httpx2.AsyncClient, slots: asyncio.Semaphore, judge: JudgeConfig
    ) -> None:
        """Have a judge rate problems of known quality; raise EngineError if it rates them badly.

        The budget does not count these requests: every command that needs votes repeats them.
        """
        known = (*GOOD, *BAD)
        texts = await asyncio.gather(
            *(self._ask(client, slots, judge, prompt_of(row), is_vote=False) for row in known)
        )
        if all(text is None for text in texts):
            raise EngineError(
                f"the judge {judge.name} does not answer: {self._failures.get(judge.name)}",
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

    async def _ask(
        self,
        client: httpx2.AsyncClient,
        slots: asyncio.Semaphore,
        judge: JudgeConfig,
        prompt: str,
        *,
        is_vote: bool = True,
    ) -> str | None:
        """Return an answer with a rating; after all attempts the last answer, None if none came."""
        text = None
        for attempt in range(self._config.attempts):
            async with slots:
                try:
                    if is_vote:
                        self._spend()
                    text = await self._request(client, judge, prompt)
                    if read_rating(text) is not None:
                        return text
                    continue  # The next answer may have a rating; no wait is needed.
                except (_Useless, httpx2.TransportError) as error:
                    asked = error.wait_s if isinstance(error, _Useless) else 0.0
                    self._failures[judge.name] = str(error) or type(error).__name__
            await asyncio.sleep(max(asked, _wait_s(attempt)))
        return text

    def _spend(self) -> None:
        if self._config.budget is not None and self._requests >= self._config.budget:
            raise BudgetSpent
        self._requests += 1

    async def _request(self, client: httpx2.AsyncClient, judge: JudgeConfig, prompt: str) -> str:
        answer = await client.post(
            f"{judge.url.rstrip('/')}/chat/completions",
            headers=_headers(judge),
            json={
                "model": judge.model,
                "messages": [{"role": "user", "content": prompt}],
                "temperature": self._config.temperature,
                "max_tokens": self._config.max_tokens,
            },
        )
        if answer.status_code in _RETRIED or answer.status_code >= 500:
            raise _Useless(f"status {answer.status_code}", _asked_to_wait(answer))
        if answer.status_code != 200:
            raise ConfigError(
                f"the judge {judge.name} refuses the request: status {answer.status_code}, "
                f"{' '.join(answer.text.split())[:120]}",
                where=judge.url,
                remedy="check url, model and the key in its environment variable",
            )
        return _content(answer)

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


def _content(answer: httpx2.Response) -> str:
    try:
        body: Any = answer.json()
        content = body["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _Useless("an answer in another form") from error
    if not isinstance(content, str):
        raise _Useless("an answer without text")
    return content


def _headers(judge: JudgeConfig) -> dict[str, str]:
    if not judge.key_variable:
        return {}
    key = os.environ.get(judge.key_variable, "")
    if not key:
        raise ConfigError(
            f"the environment variable {judge.key_variable} is not set",
            expected=f"the key for {judge.url}",
            remedy=f"export {judge.key_variable}=KEY, or remove key_variable from the recipe",
        )
    return {"Authorization": f"Bearer {key}"}


def _asked_to_wait(answer: httpx2.Response) -> float:
    text = str(answer.headers.get("retry-after", ""))
    return min(float(text), _LONGEST_WAIT_S) if text.isdecimal() else 0.0


def _wait_s(attempt: int) -> float:
    """Return a wait that doubles with every attempt, with jitter so that retries spread out."""
    most = min(_FIRST_WAIT_S * 2.0**attempt, _LONGEST_WAIT_S)
    return most * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
