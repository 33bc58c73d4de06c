"""Write the answer of the lab, its table of verdicts, into the documentation.

    python -m benchmarks.lab_answer docs/lab/results docs/lab.md

Judges the kept results as `reasonrl study --judge` does, and replaces the first table of the file.
A test holds the file to the results (`tests/unit/studies/test_lab_results.py`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.common import DocstringHelp
from reasonrl.atomic import write_atomic
from reasonrl.lab.worlds import WORLDS
from reasonrl.studies.answer import answer_table, decided
from reasonrl.studies.kept import read_kept
from reasonrl.studies.results import results_of_kept
from reasonrl.studies.setting import on_miniatures

_HEAD = "| study | claim |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("results", type=Path, help="a directory of kept results")
    parser.add_argument("page", type=Path, help="a Markdown file with such a table")
    given = parser.parse_args()
    kept = read_kept(given.results)
    settings = [on_miniatures(world) for world in WORLDS]
    judged = [results_of_kept(setting, kept) for setting in settings]
    results = [result for found, _ in judged for result in found]
    studies = settings[0].studies.values()
    before, head, rest = given.page.read_text(encoding="utf-8").partition(_HEAD)
    if not head:
        raise SystemExit(f"{given.page} has no table that begins with {_HEAD}")
    after = rest.partition("\n\n")[2]
    write_atomic(given.page, f"{before}{answer_table(results, studies)}\n{after}")
    for _, notes in judged:
        print(*notes, sep="\n")
    print(*decided(results, studies), sep="\n")


if __name__ == "__main__":
    main()
