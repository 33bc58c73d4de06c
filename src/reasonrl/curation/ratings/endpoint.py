"""Ask judges behind OpenAI-compatible endpoints: many at a time, again where it fails, in a budget.

A time-out, a refusal for load, a server's error and an answer of another form are asked again,
later and later; what stays without a rating is a vote that is missing, never one that was made up.
An error that asking again cannot mend stops at once. Called by `build`.
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
_MAX_MISSING = 0.5  # share of a judge's votes; above it the judge is at fault and not the problems
_AGAIN = frozenset({408, 409, 425, 429})


class _Useless(Exception):
    """Say that an answer cannot be used, and how long its server asks to wait."""

    def __init__(self, what: str, wait_s: float = 0.0) -> None:
        super().__init__(what)
        self.wait_s = wait_s


class BudgetSpent(Exception):
    """Say that as many requests were made as the recipe allows."""


class Judges:
    """Ask the judges of a recipe; counts requests, for the budget is that of a whole build."""

    def __init__(self, config: QualityConfig) -> None:
        self._config = config
        self._requests = 0
        self._trusted: set[str] = set()
        self._failures: dict[str, str] = {}

    def vote(
        self, rows: Sequence[Candidate], ballot: Ledger[Vote], count: Callable[[int], None]
    ) -> None:
        """Bring the ballot to `votes` of every judge on every row.

        Raises BudgetSpent when the requests are used up, ConfigError for an endpoint that cannot be
        asked so, EngineError for a judge that does not answer, or cannot tell bad problems.
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
        room = asyncio.Semaphore(self._config.concurrency)
        names = [content_of(row) for row in rows]
        async with httpx2.AsyncClient(timeout=self._config.timeout_s) as client:
            for judge in self._config.judge:
                if judge.name not in self._trusted and self._waits_for(judge, names, ballot):
                    await self._check(client, room, judge)
            async with asyncio.TaskGroup() as group:
                for name, row in zip(names, rows, strict=True):
                    group.create_task(self._row(client, room, name, row, ballot, count))
        self._check_missing(names, ballot)

    async def _row(
        self,
        client: httpx2.AsyncClient,
        room: asyncio.Semaphore,
        name: str,
        row: Candidate,
        ballot: Ledger[Vote],
        count: Callable[[int], None],
    ) -> None:
        for judge in self._config.judge:
            for place in range(self._config.votes):
                if _is_cast(ballot, name, judge, place):
                    continue  # one that is missing is asked for again
                text = await self._ask(client, room, judge, prompt_of(row))
                ballot.add(
                    Vote(
                        uid=name,
                        judge=judge.name,
                        place=place,
                        valid=None if text is None else read_rating(text),
                        reasons="" if text is None else reasons_of(text),
                    )
                )
        count(1)

    def _waits_for(self, judge: JudgeConfig, names: Sequence[str], ballot: Ledger[Vote]) -> bool:
        return any(
            not _is_cast(ballot, name, judge, place)
            for name in names
            for place in range(self._config.votes)
        )

    async def _check(
        self, client: httpx2.AsyncClient, room: asyncio.Semaphore, judge: JudgeConfig
    ) -> None:
        """Have a judge rate problems whose quality is known; raise EngineError if it cannot.

        These requests are not of the budget: every command that asks for votes asks them anew.
        """
        known = (*GOOD, *BAD)
        texts = await asyncio.gather(
            *(self._ask(client, room, judge, prompt_of(row), is_vote=False) for row in known)
        )
        if all(text is None for text in texts):
            raise EngineError(
                f"the judge {judge.name} gives no answer: {self._failures.get(judge.name)}",
                where=judge.url,
                remedy="start its server, correct url, or raise quality.timeout_s",
            )
        ratings = [None if text is None else read_rating(text) for text in texts]
        good, bad = ratings[: len(GOOD)], ratings[len(GOOD) :]
        if not is_trusted(good, bad):
            raise EngineError(
                f"the judge {judge.name} calls {sum(one is True for one in good)} of {len(good)} "
                f"good problems valid and {sum(one is False for one in bad)} of {len(bad)} broken "
                "ones invalid",
                where=judge.url,
                expected="three of four each",
                remedy="choose another model, or a larger quality.max_tokens if it is cut off",
            )
        self._trusted.add(judge.name)

    async def _ask(
        self,
        client: httpx2.AsyncClient,
        room: asyncio.Semaphore,
        judge: JudgeConfig,
        prompt: str,
        *,
        is_vote: bool = True,
    ) -> str | None:
        """Return an answer that rates, None when there is none after all attempts."""
        text = None
        for attempt in range(self._config.attempts):
            async with room:
                try:
                    if is_vote:
                        self._spend()
                    text = await self._request(client, judge, prompt)
                    if read_rating(text) is not None:
                        return text
                    continue  # it may rate the next time; nothing is to be waited for
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
        if answer.status_code in _AGAIN or answer.status_code >= 500:
            raise _Useless(f"status {answer.status_code}", _asked_to_wait(answer))
        if answer.status_code != 200:
            raise ConfigError(
                f"the judge {judge.name} refuses: status {answer.status_code}, "
                f"{' '.join(answer.text.split())[:120]}",
                where=judge.url,
                remedy="check url, model and the key in its environment variable",
            )
        return _content(answer)

    def _check_missing(self, names: Sequence[str], ballot: Ledger[Vote]) -> None:
        for judge in self._config.judge:
            votes = [
                ballot.entries[name, judge.name, place]
                for name in names
                for place in range(self._config.votes)
            ]
            missing = sum(vote.valid is None for vote in votes)
            if missing > _MAX_MISSING * len(votes):
                raise EngineError(
                    f"{missing} of {len(votes)} answers of the judge {judge.name} rate nothing",
                    where=judge.url,
                    remedy="look at the server, or choose another model",
                )


def _is_cast(ballot: Ledger[Vote], name: str, judge: JudgeConfig, place: int) -> bool:
    before = ballot.entries.get((name, judge.name, place))
    return before is not None and before.valid is not None


def _content(answer: httpx2.Response) -> str:
    try:
        found: Any = answer.json()
        content = found["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _Useless("an answer of another form") from error
    if not isinstance(content, str):
        raise _Useless("an answer without text")
    return content


def _headers(judge: JudgeConfig) -> dict[str, str]:
    if not judge.key_variable:
        return {}
    key = os.environ.get(judge.key_variable, "")
    if not key:
        raise ConfigError(
            f"the variable {judge.key_variable} is not set",
            expected=f"the key for {judge.url} in the environment",
        )
    return {"Authorization": f"Bearer {key}"}


def _asked_to_wait(answer: httpx2.Response) -> float:
    text = str(answer.headers.get("retry-after", ""))
    return min(float(text), _LONGEST_WAIT_S) if text.isdecimal() else 0.0


def _wait_s(attempt: int) -> float:
    """Return a time that doubles, and differs between requests so that they do not come back at
    once."""
    most = min(_FIRST_WAIT_S * 2.0**attempt, _LONGEST_WAIT_S)
    return most * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
