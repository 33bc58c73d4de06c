"""How many altered copies does the pipeline find? `python -m benchmarks.planted --data DIR`.

Plants 1,000 altered copies of each kind, one kind at a time: copies of problems of GSM8K, MATH and
past AIMEs among these problems (duplicates), and copies of problems of AIME 2024, AIME 2025 and
MATH-500 (contaminations). `benchmarks.planting` makes the copies and does not know how they are
searched. A "lookalike" asks a different question, so no lookalike is a duplicate.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.funnel import FILES
from benchmarks.planting import KINDS, Planted, plant
from reasonrl.curation.likeness.decontaminate import ProtectedIndex
from reasonrl.curation.likeness.dedup import find_duplicates
from reasonrl.curation.likeness.fingerprints import fingerprint, joined
from reasonrl.curation.likeness.protected import load_protected
from reasonrl.curation.recipe import DecontaminateConfig, DedupConfig, RawSource
from reasonrl.curation.rows import Candidate, read_kept
from reasonrl.curation.sources.read import ReadJob, read_source
from reasonrl.curation.store import StepFolder
from reasonrl.recipe import MathBenchmark

N = 1_000
SOURCES = ("aime", "math", "gsm8k")


def read(data: Path, scratch: Path) -> list[Candidate]:
    """Return all raw problems that have an answer."""
    rows: list[Candidate] = []
    for number, kind in enumerate(SOURCES):
        folder = StepFolder(scratch / kind)
        folder.begin("planted")
        source = RawSource(type=kind, path=data / FILES[kind])  # type: ignore[arg-type]
        job = ReadJob(
            folder=folder.directory, number=number, source=source, files=(data / FILES[kind],)
        )
        for report in read_source(job):
            rows += read_kept(folder.kept(report.key))
    return [row for row in rows if row.answer]


def duplicates(rows: Sequence[Candidate]) -> None:
    """Print a line for each kind of copy."""
    config = DedupConfig()
    texts = [(row.problem, row.answer) for row in rows]
    known = fingerprint(text for text, _ in texts)
    natural = find_duplicates(
        known, [answer for _, answer in texts], near=config.near, renumbered=config.renumbered
    )
    texts = [text for row, text in enumerate(texts) if row not in natural]
    known = fingerprint(text for text, _ in texts)
    print(f"duplicates among {len(texts):,} problems")
    print("| kind | planted | found | as | others dropped |\n|---|---|---|---|---|")
    for kind in KINDS:
        planted = plant(texts, kind, N, seed=1)
        matches = find_duplicates(
            joined([known, fingerprint(copy.text for copy in planted)]),
            [answer for _, answer in texts] + [copy.answer for copy in planted],
            near=config.near,
            renumbered=config.renumbered,
        )
        ways = Counter(match.reason.value for row, match in matches.items() if row >= len(texts))
        others = sum(row < len(texts) for row in matches)
        print(f"| {kind} | {N} | {sum(ways.values())} | {_ways(ways)} | {others} |")


def contaminations(protected: Sequence[Candidate], rows: Sequence[Candidate]) -> None:
    """Print a line for each kind of copy, and a line for the real problems."""
    texts = [(row.problem, row.answer) for row in protected]
    index = ProtectedIndex(
        fingerprint(text for text, _ in texts),
        [answer for _, answer in texts],
        DecontaminateConfig(),
    )
    print(f"\ncontaminations with {len(texts):,} protected problems")
    print("| kind | planted | found | of its own original | as |\n|---|---|---|---|---|")
    for kind in KINDS:
        planted = _many(texts, kind)
        hits = index.hits(
            fingerprint(copy.text for copy in planted), [copy.answer for copy in planted]
        )
        own = sum(planted[hit.row].original == hit.protected for hit in hits)
        ways = Counter(hit.how for hit in hits)
        print(f"| {kind} | {len(planted)} | {len(hits)} | {own} | {_ways(ways)} |")
    natural = index.hits(fingerprint(row.problem for row in rows), [row.answer for row in rows])
    ways = Counter(hit.how for hit in natural)
    print(f"| nobody's | {len(rows):,} | {len(natural)} | | {_ways(ways)} |")


def _many(texts: Sequence[tuple[str, str]], kind: str) -> list[Planted]:
    """Return N copies of few originals: a tenth of the copies with each of ten seeds."""
    copies: list[Planted] = []
    for seed in range(1, 11):
        copies += plant(texts, kind, N // 10, seed=seed)
    return copies


def _ways(ways: Counter[str]) -> str:
    return ", ".join(f"{count} {way}" for way, count in ways.most_common())


def main() -> None:
    """Print both tables."""
    import tempfile

    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    data = arguments.parse_args().data
    with tempfile.TemporaryDirectory() as scratch:
        rows = read(data, Path(scratch))
    duplicates(rows)
    benchmarks = ("aime24", "aime25", "math500")
    protected = load_protected([MathBenchmark(type=name, path=data) for name in benchmarks])  # type: ignore[arg-type]
    contaminations(protected, rows)


if __name__ == "__main__":
    main()
