"""Questions to language models behind OpenAI-compatible endpoints: with retries and a budget.

A time-out, a refusal for load, a server error and an answer in another form are retried, with
growing waits. An error that a retry cannot mend is raised at once. Knows nothing of what is asked;
`judge` asks about rollouts, and `curation` about problems.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self, TypeVar

import httpx2

from reasonrl.errors import ConfigError

Result = TypeVar("Result")

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_RETRIED = frozenset({408, 409, 425, 429})  # status codes, as is every code from 500


class ModelEndpoint(Protocol):
    """Where a model is asked. Its key is read from the environment variable `key_variable`."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def key_variable(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSettings:
    """How models are asked: `attempts` bounds the requests for one answer, `budget` all requests.

    `temperature` and `max_tokens` go to the model; at most `concurrency` requests run at a time,
    each for at most `timeout_s`.
    """

    temperature: float
    max_tokens: int
    concurrency: int
    timeout_s: float
    attempts: int
    budget: int | None

    @classmethod
    def of(cls, table: object) -> Self:
        """Return the settings of a recipe's table, which has a key of each name."""
        return cls(**{field.name: getattr(table, field.name) for field in fields(cls)})


class BudgetSpent(Exception):
    """Report that the command has made all requests that its budget allows."""


class _Useless(Exception):
    """Report an answer that cannot be used; `wait_s` is the wait that its server asks for."""

    def __init__(self, what: str, wait_s: float = 0.0) -> None:
        super().__init__(what)
        self.wait_s = wait_s


class Asker:
    """The requests of one command; they are counted, because the budget holds for all of them.

    `failures` has the last failure of each endpoint, by name.
    """

    def __init__(self, settings: AskSettings) -> None:
        self.settings = settings
        self.failures: dict[str, str] = {}
        self._requests = 0

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Asking]:
        """Open connections for many questions."""
        async with httpx2.AsyncClient(timeout=self.settings.timeout_s) as client:
            yield Asking(self, client)

    def spend(self) -> None:
        """Count a request; BudgetSpent where there is none left."""
        if self.settings.budget is not None and self._requests >= self.settings.budget:
            raise BudgetSpent
        self._requests += 1


class Asking:
    """Open connections of an `Asker`."""

    def __init__(self, asker: Asker, client: httpx2.AsyncClient) -> None:
        self._asker, self._client = asker, client
        self._slots = asyncio.Semaphore(asker.settings.concurrency)

    async def ask(
        self,
        endpoint: ModelEndpoint,
        prompt: str,
        is_usable: Callable[[str], bool],
        *,
        is_counted: bool = True,
    ) -> str | None:
        """Return a usable answer; after all attempts the last answer, None if none came."""
        text = None
        for attempt in range(self._asker.settings.attempts):
            async with self._slots:
                try:
                    if is_counted:
                        self._asker.spend()
                    text = await self._request(endpoint, prompt)
                    if is_usable(text):
                        return text
                    continue  # The next answer may be usable; no wait is needed.
                except (_Useless, httpx2.TransportError) as error:
                    asked = error.wait_s if isinstance(error, _Useless) else 0.0
                    self._asker.failures[endpoint.name] = str(error) or type(error).__name__
            await asyncio.sleep(max(asked, _wait_s(attempt)))
        return text

    async def _request(self, endpoint: ModelEndpoint, prompt: str) -> str:
        answer = await self._client.post(
            f"{endpoint.url.rstrip('/')}/chat/completions",
            headers=_headers(endpoint),
            json={
                "model": endpoint.model,
                "messages": [{"role": "user", "content": prompt}],
                "temperature": self._asker.settings.temperature,
                "max_tokens": self._asker.settings.max_tokens,
            },
        )
        if answer.status_code in _RETRIED or answer.status_code >= 500:
            raise _Useless(f"status {answer.status_code}", _asked_to_wait(answer))
        if answer.status_code != 200:
            raise ConfigError(
                f"the judge {endpoint.name} refuses the request: status {answer.status_code}, "
                f"{' '.join(answer.text.split())[:120]}",
                where=endpoint.url,
                remedy="check url, model and the key in its environment variable",
            )
        return _content(answer)


class AskingThread:
    """A thread with open connections, in which questions run beside their caller."""

    def __init__(self, asker: Asker) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._connected = asker.connected()
        self._asking = self._run(self._connected.__aenter__()).result()

    def submit(self, work: Callable[[Asking], Coroutine[Any, Any, Result]]) -> Future[Result]:
        """Begin work on the open connections; its result or its error comes with the future."""
        return self._run(work(self._asking))

    def close(self) -> None:
        """Drop what is not finished, and close the connections."""
        self._run(self._drop()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _drop(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._connected.__aexit__(None, None, None)

    def _run(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)


def run_apart(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end in a thread of its own: a notebook's thread has a loop already."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def first_of(group: BaseExceptionGroup[Exception]) -> Exception:
    """Return the first exception of a group, however deep."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


def _content(answer: httpx2.Response) -> str:
    try:
        body: Any = answer.json()
        content = body["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _Useless("an answer in another form") from error
    if not isinstance(content, str):
        raise _Useless("an answer without text")
    return content


def _headers(endpoint: ModelEndpoint) -> dict[str, str]:
    if not endpoint.key_variable:
        return {}
    key = os.environ.get(endpoint.key_variable, "")
    if not key:
        raise ConfigError(
            f"the environment variable {endpoint.key_variable} is not set",
            expected=f"the key for {endpoint.url}",
            remedy=f"export {endpoint.key_variable}=KEY, or remove key_variable from the recipe",
        )
    return {"Authorization": f"Bearer {key}"}


def _asked_to_wait(answer: httpx2.Response) -> float:
    text = str(answer.headers.get("retry-after", ""))
    return min(float(text), _LONGEST_WAIT_S) if text.isdecimal() else 0.0


def _wait_s(attempt: int) -> float:
    """Return a wait that doubles with every attempt, with jitter so that retries spread out."""
    most = min(_FIRST_WAIT_S * 2.0**attempt, _LONGEST_WAIT_S)
    return most * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)
