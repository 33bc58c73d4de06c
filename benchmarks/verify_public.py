"""The math verifier beside math-verify on labelled public sets that were not made for this project.

The sets: the tests of other graders, read from their source packages
(`python -m benchmarks.fetch_graders`), with the labels that these tests state; and the keys of
MATH, AIME and GSM8K below `--data`. Each key stands against itself (right), against forms of its
value that sympy writes (right), against similar keys of other problems of its type that sympy finds
unequal (wrong), and against slips of its value: sign, inverse, conjugate, order, one off (wrong).
Both graders get the same golds and the same boxed answers; math-verify reads boxes only. A masked
answer has no verdict: it is neither right nor wrong, and counts as inaccurate.

    python -m benchmarks.verify_public [--graders graders] [--data DIR] [--misses] [--sample PATH]

`--sample` writes 50 pairs of each kind that sympy made or chose, for reading by hand.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from math_verify import LatexExtractionConfig, parse
from math_verify import verify as mv_verify

from benchmarks.common import Row, describe_machine, print_table
from benchmarks.public_pairs import Key, Pair, grader_pairs, in_box, public_keys
from benchmarks.public_rewrites import near_misses, read, right_pairs, wrong_pairs
from reasonrl.types import Kind, Task
from reasonrl.verify import Verifier, VerifyItem

ROOT = Path(__file__).parents[1]
_BOXES = [LatexExtractionConfig(boxed_match_priority=0)]
_SEED, _SAMPLED = 1, 50

Judge = Callable[[Sequence[Pair]], list[bool | None]]


def by_reasonrl(pairs: Sequence[Pair]) -> list[bool | None]:
    """Return whether each answer is right; None where it is masked."""
    items = [
        VerifyItem(task=Task(kind=Kind.MATH, answer=pair.gold), response=pair.response)
        for pair in pairs
    ]
    with Verifier(workers=1) as verifier:
        verdicts = verifier.verify_batch(items)
    return [None if verdict.reward is None else verdict.reward == 1.0 for verdict in verdicts]


def by_math_verify(pairs: Sequence[Pair]) -> list[bool | None]:
    """Return math-verify's verdicts; an error of it counts as "not equal"."""
    return [_asked(pair) for pair in pairs]


def _asked(pair: Pair) -> bool:
    gold = pair.gold if "\\boxed" in pair.gold else in_box(pair.gold)
    try:
        return bool(mv_verify(parse(gold, _BOXES), parse(pair.response, _BOXES)))
    except Exception:  # noqa: BLE001 - every caller of math-verify would have to do the same
        return False


def pairs_of(keys: Sequence[Key]) -> dict[str, list[Pair]]:
    """Return the pairs that the keys of one set give, by their kind."""
    distinct = list({(key.family, key.text): key for key in keys}.values())
    texts = {key.text: key for key in distinct}
    values = [value for key in distinct if (value := read(key)) is not None]
    once = list({value.key.text: value for value in values}.values())
    return {
        "itself": [
            Pair(origin=key.id, gold=text, response=in_box(text), is_right=True)
            for text, key in texts.items()
        ],
        "rewritten": list(right_pairs(once)),
        "another's key": list(wrong_pairs(values)),
        "near miss": list(near_misses(once)),
    }


def all_sets(graders: Path, data: Path) -> Iterator[tuple[str, list[Pair]]]:
    """Yield the name and the pairs of every set that is there."""
    tests, n_left_out = grader_pairs(graders)
    if n_left_out:
        print(f"left out of the graders' tests: {n_left_out} answers amid prose, without a box")
    yield from tests.items()
    for name, keys in public_keys(data).items():
        for kind, pairs in pairs_of(keys).items():
            yield f"{name}: {kind}", pairs


def row_of(name: str, pairs: Sequence[Pair], judged: dict[str, list[bool | None]]) -> Row:
    """Return a row of the table: the errors of each grader, as numbers of pairs."""
    row: dict[str, str | int] = {
        "set": name,
        "right": sum(pair.is_right for pair in pairs),
        "wrong": sum(not pair.is_right for pair in pairs),
    }
    for grader, verdicts in judged.items():
        checked = list(zip(pairs, verdicts, strict=True))
        agreed = sum(verdict is pair.is_right for pair, verdict in checked)
        row[f"{grader}: accuracy"] = f"{agreed / len(pairs):.4f}"
        row["FN" if grader == "reasonrl" else "its FN"] = sum(
            pair.is_right and verdict is False for pair, verdict in checked
        )
        row["FP" if grader == "reasonrl" else "its FP"] = sum(
            not pair.is_right and verdict is True for pair, verdict in checked
        )
        if grader == "reasonrl":
            row["masked"] = sum(verdict is None for verdict in verdicts)
    return row


def write_sample(path: Path, sets: Sequence[tuple[str, list[Pair]]]) -> None:
    """Write pairs that sympy made, for reading by hand: the same ones in every run."""
    draw = random.Random(_SEED)
    lines = []
    for kind in ("rewritten", "another's key", "near miss"):
        made = [pair for name, pairs in sets if name.endswith(kind) for pair in pairs]
        for pair in draw.sample(made, min(_SAMPLED, len(made))):
            label = "right" if pair.is_right else "wrong"
            lines.append(f"{label}\t{pair.origin}\t{pair.gold}\t{pair.response}\n")
    path.write_text("".join(lines), encoding="utf-8")


def main() -> int:
    """Judge every set with both graders and print one table; 2 without any set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--graders", type=Path, default=ROOT / "graders", help="source packages")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data", help="keys")
    parser.add_argument("--misses", action="store_true", help="list what reasonrl misjudges")
    parser.add_argument("--sample", type=Path, help="write pairs for reading by hand")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    sets = list(all_sets(given.graders, given.data))
    if not sets:
        print("no set: run `python -m benchmarks.fetch_graders`, or pass --data", file=sys.stderr)
        return 2
    if given.sample:
        write_sample(given.sample, sets)
    graders: dict[str, Judge] = {"reasonrl": by_reasonrl, "math-verify": by_math_verify}
    rows = []
    for name, pairs in sets:
        judged = {grader: judge(pairs) for grader, judge in graders.items()}
        rows.append(row_of(name, pairs, judged))
        if given.misses:
            for pair, verdict, other in zip(pairs, *judged.values(), strict=True):
                if verdict is not pair.is_right:
                    print(json.dumps([name, pair.origin, pair.gold, pair.response, verdict, other]))
    print(describe_machine())
    print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
