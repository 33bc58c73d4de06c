"""How many altered copies does the pipeline find? `python -m benchmarks.planted --data DIR`.

Of the problems of GSM8K, MATH and past AIMEs 1,000 altered copies of every kind are planted, one
kind at a time, among the problems themselves (duplicates), and 1,000 of AIME 2024, AIME 2025 and
MATH-500 (contaminations). The copies are made by `benchmarks.planting`, which knows nothing of how
they are looked for. A "lookalike" asks another thing, so none is a duplicate.
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
    """Return all raw problems."""
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
    """Print a line for every kind of copy."""
    config = DedupConfig()
    texts = [(row.problem, row.answer) for row in rows]
    known = fingerprint(text for text, _ in texts)
    before = find_duplicates(
        known, [answer for _, answer in texts], near=config.near, renumbered=config.renumbered
    )
    texts = [text for place, text in enumerate(texts) if place not in before]
    known = fingerprint(text for text, _ in texts)
    print(f"duplicates among {len(texts):,} problems")
    print("| kind | planted | found | as | others dropped |\n|---|---|---|---|---|")
    for kind in KINDS:
        planted = plant(texts, kind, N, seed=1)
        found = find_duplicates(
            joined([known, fingerprint(one.text for one in planted)]),
            [answer for _, answer in texts] + [one.answer for one in planted],
            near=config.near,
            renumbered=config.renumbered,
        )
        ways = Counter(match.reason.value for row, match in found.items() if row >= len(texts))
        others = sum(row < len(texts) for row in found)
        print(f"| {kind} | {N} | {sum(ways.values())} | {_ways(ways)} | {others} |")


def contaminations(protected: Sequence[Candidate], rows: Sequence[Candidate]) -> None:
    """Print a line for every kind of copy, and one for the problems nobody planted."""
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
        hits = index.hits(fingerprint(one.text for one in planted), [one.answer for one in planted])
        own = sum(planted[hit.row].of == hit.protected for hit in hits)
        ways = Counter(hit.how for hit in hits)
        print(f"| {kind} | {len(planted)} | {len(hits)} | {own} | {_ways(ways)} |")
    natural = index.hits(fingerprint(row.problem for row in rows), [row.answer for row in rows])
    ways = Counter(hit.how for hit in natural)
    print(f"| nobody's | {len(rows):,} | {len(natural)} | | {_ways(ways)} |")


def _many(texts: Sequence[tuple[str, str]], kind: str) -> list[Planted]:
    """Return N copies of few originals: some of each seed."""
    found: list[Planted] = []
    for seed in range(1, 11):
        found += plant(texts, kind, N // 10, seed=seed)
    return found


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
