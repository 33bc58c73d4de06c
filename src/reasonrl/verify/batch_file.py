"""Verify a JSONL file of responses into a JSONL file of verdicts.

Streams the rows in order: memory holds an id, a hash and a place for each row, and the rows in
flight. A verdict is written when it comes, and a rerun keeps the verdicts of unchanged rows
(`batch_output`). Called by the command line (`reasonrl verify`).
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from reasonrl.errors import DataError, ReasonRLError
from reasonrl.terminal import silent
from reasonrl.types import Kind, Phase, Status, Verdict
from reasonrl.verify.batch_output import (
    VerdictFile,
    fault_line,
    judge_hash,
    open_output,
    row_hash,
    verdict_line,
)
from reasonrl.verify.batch_rows import Row, check_ids, nearest_key, read_rows
from reasonrl.verify.code.verdict import CodeOptions
from reasonrl.verify.explain import is_disputed
from reasonrl.verify.verifier import DEFAULT_DEADLINE_S, Verifier

_BATCH_ROWS = 32
"""Answers that are judged and written together; a program is judged and written alone."""
_AHEAD = 4
"""Batches for each worker that are judged before the oldest is written."""
_SHOWN_FAULTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The summary of a verified file.

    `n_faults` rows could not be judged, and `faults` holds the first reasons. `n_kept` verdicts
    are an earlier run's. `unknown` describes the keys that were not read. `disputed` holds the ids
    on which the two routes disagree; None without a cross-check.
    """

    counts: dict[Status, int]
    n_rows: int
    wall_s: float
    n_faults: int = 0
    faults: tuple[str, ...] = ()
    n_kept: int = 0
    unknown: tuple[str, ...] = ()
    disputed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of a row: a verdict, the place of a kept one, or the fault that forbids one."""

    row: Row
    kept_at: int | None = None
    verdict: Verdict | None = None
    second: Verdict | None = None
    fault: str = ""


def verify_file(
    input_path: Path,
    output_path: Path,
    *,
    workers: int = 1,
    deadline_s: float = DEFAULT_DEADLINE_S,
    unboxed: bool = False,
    cross_check: bool = False,
    code: CodeOptions | None = None,
    phase: Phase = silent,
) -> VerifyReport:
    """Verify every row and write one line for each, in order, as the verdicts come.

    A row that cannot be read or judged gets a line with its `id` and the `error`. A rerun after a
    kill, or after a change of some rows, keeps the verdicts of the unchanged rows. With
    `cross_check` math-verify judges again the rows that were decided without it; each line then
    holds its status as `second`. `phase` shows the progress (see `types.Phase`). Raises DataError,
    before anything is judged or written, for a file that cannot be read and for an id that occurs
    twice.
    """
    options = code or CodeOptions()
    judge = judge_hash(unboxed=unboxed, cross_check=cross_check, code=options)
    tally = _Tally(is_cross_check=cross_check, judge=judge)
    tally.look_at(input_path, output_path)
    with (
        phase("verify", tally.n_rows) as progress,
        open_output(output_path, tally.hashes) as output,
        Verifier(workers=workers, deadline_s=deadline_s, unboxed=unboxed, code=options) as verifier,
    ):
        work = _Work(verifier, output.kept, judge, is_cross_check=cross_check)
        for outcomes in work.run(read_rows(input_path), workers):
            for outcome in outcomes:
                tally.write(outcome, output)
            progress(len(outcomes))
        output.finish()
    return tally.report()


class _Work:
    """The judging of batches of rows on threads, in order."""

    def __init__(
        self, verifier: Verifier, kept: Mapping[str, int], judge: bytes, *, is_cross_check: bool
    ) -> None:
        self._verifier = verifier
        self._kept = kept
        self._judge_hash = judge
        self._is_cross_check = is_cross_check

    def run(self, rows: Iterator[Row], workers: int) -> Iterator[list[_Outcome]]:
        """Yield the outcomes of batches in order, while the next batches are judged."""
        threads = ThreadPoolExecutor(workers)
        waiting: deque[Future[list[_Outcome]]] = deque()
        try:
            for batch in _batches(rows):
                waiting.append(threads.submit(self._outcomes, batch))
                if len(waiting) >= _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # The verifier is closed next, which ends the batches that a thread still judges.
            threads.shutdown(wait=False, cancel_futures=True)

    def _outcomes(self, rows: Sequence[Row]) -> list[_Outcome]:
        places = [self._kept.get(row_hash(row, self._judge_hash)) for row in rows]
        new = [
            row
            for row, place in zip(rows, places, strict=True)
            if place is None and row.item is not None
        ]
        judged = {outcome.row.where: outcome for outcome in self._judge(new)}
        return [
            judged.get(row.where) or _Outcome(row=row, kept_at=place, fault=row.fault)
            for row, place in zip(rows, places, strict=True)
        ]

    def _judge(self, rows: Sequence[Row]) -> list[_Outcome]:
        """Judge rows together; if the verifier fails on them, each alone, so that one row fails."""
        items = [row.item for row in rows if row.item is not None]
        try:
            verdicts = self._verifier.verify_batch(items)
            seconds = (
                self._verifier.second_opinions(items)
                if self._is_cross_check
                else [None] * len(items)
            )
        except ReasonRLError:
            raise
        except Exception as error:  # noqa: BLE001  (a fault of the verifier costs one row)
            if len(rows) > 1:
                return [outcome for row in rows for outcome in self._judge([row])]
            fault = f"{rows[0].where}: the verifier failed: {type(error).__name__}: {error}"
            return [_Outcome(row=rows[0], fault=fault)]
        return [
            _Outcome(row=row, verdict=verdict, second=second)
            for row, verdict, second in zip(rows, verdicts, seconds, strict=True)
        ]


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Cut the rows into batches that end with a program, or are full."""
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        is_program = row.item is not None and row.item.task.kind is Kind.CODE
        if is_program or len(batch) == _BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


class _Tally:
    """The counts of a file and the lines that are written for it."""

    def __init__(self, *, is_cross_check: bool, judge: bytes) -> None:
        self._start = time.perf_counter()
        self._is_cross_check = is_cross_check
        self._judge = judge
        self.n_rows = 0
        self.hashes: set[str] = set()
        self._unknown: dict[str, tuple[str, int]] = {}
        self._counts: Counter[Status] = Counter()
        self._disputed: list[str] = []
        self._faults: list[str] = []
        self._n_kept = 0

    def look_at(self, input_path: Path, output_path: Path) -> None:
        """Read all rows once before the work, so that a bad file is refused at once."""
        if input_path.exists() and output_path.exists() and output_path.samefile(input_path):
            raise DataError(
                "is the input too", where=str(output_path), remedy="choose another --output"
            )
        for row in check_ids(read_rows(input_path)):
            self.n_rows += 1
            self.hashes.add(row_hash(row, self._judge))
            for key in row.unknown:
                first, n = self._unknown.get(key, (row.where, 0))
                self._unknown[key] = (first, n + 1)

    def write(self, outcome: _Outcome, output: VerdictFile) -> None:
        """Write the line of a row, or keep the line that it has, and count it."""
        row, verdict, second = outcome.row, outcome.verdict, outcome.second
        if outcome.kept_at is not None:
            verdict, second = output.keep(outcome.kept_at)
            self._n_kept += 1
        elif verdict is None:
            output.add(fault_line(row, outcome.fault))
            self._faults.append(outcome.fault)
            return
        else:
            extra = {"second": None if second is None else second.status}
            output.add(
                verdict_line(row, verdict, extra if self._is_cross_check else {}, self._judge)
            )
        self._counts[verdict.status] += 1
        if is_disputed(verdict, second):
            self._disputed.append(str(row.id))

    def report(self) -> VerifyReport:
        """Return the summary."""
        return VerifyReport(
            counts=dict(self._counts),
            n_rows=self.n_rows,
            wall_s=time.perf_counter() - self._start,
            n_faults=len(self._faults),
            faults=tuple(self._faults[:_SHOWN_FAULTS]),
            n_kept=self._n_kept,
            unknown=tuple(self._remark(key) for key in self._unknown),
            disputed=tuple(self._disputed) if self._is_cross_check else None,
        )

    def _remark(self, key: str) -> str:
        first, n = self._unknown[key]
        near = nearest_key(key)
        meant = f"; the nearest known key is {near!r}" if near else ""
        return f"{first}: unknown key {key!r}, not read in {n} of {self.n_rows} rows{meant}"
