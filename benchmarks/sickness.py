"""Planted sicknesses of training runs, and the measured condition by which each shows.

A sickness is a recipe broken as a user breaks one: a setting, a problem file, a reward function.
`onset` looks at what the run recorded and says at which step the sickness shows, None if it never
does. The conditions are written without a look at the rules of `reasonrl.diagnosis`, in units of a
run's own start, and before any threshold of a rule was chosen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

from reasonrl.types import Row

Onset = Callable[[Sequence[Row], Mapping[int, float]], int | None]
"""From the rows of a run and its held-out accuracy by step to the step of the onset."""

REWARDS = '''"""Reward functions that ask for the wrong thing."""

from hashlib import blake2b


def _chance(record):
    return int.from_bytes(blake2b(record.response.encode(), digest_size=4).digest()) / 2**32


def long(record):
    return record.tokens / record.max_new_tokens


def brief(record):
    return float(record.tokens <= 18)


def seven(record):
    return float("boxed{ 7 " in record.response)


def rarely_judged(record):
    return None if _chance(record) < 0.15 else 0.0


def seldom_judged(record):
    return None if _chance(record) < 0.4 else 0.0


def lottery(record):
    return 200.0 if _chance(record) < 1 / 1500 else 0.0


def jackpot(record):
    return 2000.0 if _chance(record) < 1 / 1500 else 0.0
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Sickness:
    """A sickness: the rules that may name it, its base recipe, and its strengths as overrides.

    `reward` is the name of a function of `REWARDS` for each strength, added to the verifier's
    reward with the weight beside it. `data` names a problem file that `problem_files` writes.
    """

    name: str
    rules: tuple[str, ...]
    strengths: tuple[tuple[str, ...], ...]
    onset: Onset
    base: str = "lab"
    reward: tuple[tuple[str, float], ...] = ()
    data: str = ""
    steps: int = 30
    settings: tuple[str, ...] = field(default=())


# conditions


def series(rows: Sequence[Row], key: str) -> list[float]:
    """Return a metric of every step, 0 where a step has none."""
    return [float(row.get(key) or 0.0) for row in rows]


def first_row(signs: Sequence[bool], n: int = 3, *, after: int = 0) -> int | None:
    """Return the number of the first step of the first n true signs in a row behind `after`."""
    for start in range(after, len(signs) - n + 1):
        if all(signs[start : start + n]):
            return start + 1
    return None


def falls(key: str, share: float, *, least: float = 0.0) -> Onset:
    """Return the condition: three steps at or below a share of the best mean of three before."""

    def onset(rows: Sequence[Row], _: Mapping[int, float]) -> int | None:
        values = series(rows, key)
        for at in range(3, len(values) - 2):
            best = max(fmean(values[i : i + 3]) for i in range(at - 2))
            if best >= least and all(value <= share * best for value in values[at : at + 3]):
                return at + 1
        return None

    return onset


def against_start(key: str, sign: Callable[[float, float], bool], *, n: int = 3) -> Onset:
    """Return the condition: n steps in a row whose metric has a sign against its first three."""

    def onset(rows: Sequence[Row], _: Mapping[int, float]) -> int | None:
        values = series(rows, key)
        start = fmean(values[:3])
        return first_row([sign(value, start) for value in values], n)

    return onset


def holds(sign: Callable[[Row], bool], *, n: int = 3) -> Onset:
    """Return the condition: n steps in a row with a sign."""
    return lambda rows, _: first_row([sign(row) for row in rows], n)


def at(step: int) -> Onset:
    """Return the condition that holds from a step on, for what a recipe alone decides."""
    return lambda rows, _: step if len(rows) >= step else None


def _spike(rows: Sequence[Row], _: Mapping[int, float]) -> int | None:
    norms = series(rows, "update/gradient_norm")
    for step in range(6, len(norms)):
        if norms[step] > 8 * median(norms[:step]):
            return step + 1
    return None


def _hacked(rows: Sequence[Row], _: Mapping[int, float]) -> int | None:
    rewards, accuracies = series(rows, "reward/mean"), series(rows, "accuracy/all")
    reward, accuracy = fmean(rewards[:3]), fmean(accuracies[:3])
    return first_row(
        [
            later > reward + 0.2 and right < 0.7 * accuracy
            for later, right in zip(rewards, accuracies, strict=True)
        ]
    )


def _length(grows: bool) -> Onset:
    def onset(rows: Sequence[Row], _: Mapping[int, float]) -> int | None:
        lengths, accuracies = series(rows, "rollout/mean_tokens"), series(rows, "accuracy/all")
        length, accuracy = fmean(lengths[:3]), fmean(accuracies[:3])
        return first_row(
            [
                (now > 1.4 * length if grows else now < 0.6 * length) and right < 0.8 * accuracy
                for now, right in zip(lengths, accuracies, strict=True)
            ]
        )

    return onset


def _overfit(rows: Sequence[Row], heldout: Mapping[int, float]) -> int | None:
    accuracies = series(rows, "accuracy/all")
    start = heldout.get(0, 0.0)
    for step, score in sorted(heldout.items()):
        seen = accuracies[max(0, step - 5) : step]
        if seen and fmean(seen) - score > 0.25 and score < start + 0.1:
            return step
    return None


def _still(rows: Sequence[Row], _: Mapping[int, float]) -> int | None:
    """Return the 25th step of a run whose entropy and accuracy have not moved until then."""
    if len(rows) < 25 or not any(series(rows, "update/n")):
        return None
    nats, right = series(rows, "entropy/nats"), series(rows, "accuracy/all")
    is_still = (
        abs(fmean(nats[20:25]) / fmean(nats[:5]) - 1) < 0.05
        and abs(fmean(right[15:25]) - fmean(right[:10])) < 0.06
    )
    return 25 if is_still else None


def _collapsed(rows: Sequence[Row], _: Mapping[int, float]) -> int | None:
    """Return the first of three steps at a quarter of the first entropy, problems still unsolved.

    A policy that solves four problems of five has little left to be uncertain about.
    """
    nats, right = series(rows, "entropy/nats"), series(rows, "accuracy/all")
    start = fmean(nats[:3])
    return first_row(
        [
            now <= 0.25 * start and share < 0.8 and row.get("entropy/nats") is not None
            for now, share, row in zip(nats, right, rows, strict=True)
        ]
    )


def _kept(row: Row) -> float:
    return float(row.get("groups/kept") or 0.0)


def _unsolved(row: Row) -> bool:
    return _kept(row) == 0 and float(row["groups/unsolved"] or 0) > float(row["groups/solved"] or 0)


def _unread(row: Row) -> bool:
    unread = float(row.get("verify/status/NO_ANSWER") or 0) / float(row["rollout/sampled"] or 1)
    return _unsolved(row) and unread > 0.5


def _few(rows: Sequence[Row], _: Mapping[int, float]) -> int | None:
    kept = [_kept(row) for row in rows]
    return next((n - 4 for n in range(5, len(kept) + 1) if 0 < fmean(kept[n - 5 : n]) <= 1.5), None)


def _choice_is_noise(_: Sequence[Row], heldout: Mapping[int, float]) -> int | None:
    """Return the third evaluated step, if the scores until then are within 30 points."""
    steps = sorted(heldout)[:3]
    scores = [heldout[step] for step in steps]
    return steps[-1] if len(steps) == 3 and max(scores) - min(scores) < 0.3 else None


# the sicknesses

_SECOND = "stage.2"
_TWO_STAGES = ("stage.1.steps=14", "stage.2.steps=20")

SICKNESSES = (
    Sickness(
        name="rate", rules=("policy-broken",), base="lab-two", settings=_TWO_STAGES,
        strengths=((f"{_SECOND}.update.learning_rate=0.02",),
                   (f"{_SECOND}.update.learning_rate=0.3",)),
        onset=falls("reward/mean", 0.5, least=0.1),
    ),
    Sickness(
        name="rate-tiny", rules=("policy-broken",), base="tiny",
        settings=("stage.1.steps=24", "stage.2.steps=14"),
        strengths=((f"{_SECOND}.update.learning_rate=0.3",),
                   (f"{_SECOND}.update.learning_rate=3",)),
        onset=falls("reward/mean", 0.5, least=0.1),
    ),
    Sickness(
        name="collapse", rules=("entropy-collapse", "entropy-falls"), base="tiny-one",
        steps=60, settings=("entropy.mode=none",),
        strengths=(("update.learning_rate=3e-3",), ("update.learning_rate=6e-3",)),
        onset=_collapsed,
    ),
    Sickness(
        name="explosion", rules=("entropy-explosion",),
        settings=("entropy.mode=fixed",),
        strengths=(("entropy.initial=0.2",), ("entropy.initial=0.5",)),
        onset=against_start("entropy/nats", lambda now, start: now >= 2 * start),
    ),
    Sickness(
        name="cut-off", rules=("truncated",), base="lab-two", settings=_TWO_STAGES,
        strengths=((f"{_SECOND}.rollout.max_new_tokens=11",),
                   (f"{_SECOND}.rollout.max_new_tokens=6",)),
        onset=holds(lambda row: float(row["rollout/truncated_share"] or 0) > 0.9),
    ),
    Sickness(
        name="never-ends", rules=("never-ends",), data="endless", steps=14,
        strengths=(("rollout.max_new_tokens=76",), ("rollout.max_new_tokens=96",)),
        onset=holds(lambda row: float(row["rollout/truncated_share"] or 0) > 0.95),
    ),
    Sickness(
        name="longer", rules=("length-grows", "reward-hacked"), strengths=((), ()),
        reward=(("long", 2.0), ("long", 6.0)), onset=_length(grows=True),
    ),
    Sickness(
        name="shorter", rules=("length-shrinks", "reward-hacked"), steps=40,
        settings=("update.learning_rate=6e-4",), strengths=((), ()),
        reward=(("brief", 4.0), ("brief", 12.0)), onset=_length(grows=False),
    ),
    Sickness(
        name="too-easy", rules=("all-solved",), data="solved", steps=40,
        strengths=(("rollout.temperature=0.5",), ("rollout.temperature=0.3",)),
        onset=holds(lambda row: _kept(row) == 0 and not _unsolved(row)),
    ),
    Sickness(
        name="wrong-keys", rules=("none-solved",), data="keys", steps=14,
        strengths=((), ("rollout.group_size=8",)), onset=holds(_unsolved),
    ),
    Sickness(
        name="no-box", rules=("no-answer-read",), base="tiny-one", data="plain", steps=14,
        settings=("verify.unboxed=false",), strengths=((), ("rollout.max_new_tokens=8",)),
        onset=holds(_unread),
    ),
    Sickness(
        name="few-groups", rules=("few-groups",), data="few", steps=24,
        strengths=((), ("rollout.group_size=8",)), onset=_few,
    ),
    Sickness(
        name="spike", rules=("gradient-spike",),
        settings=("update.scale_advantages=false",), strengths=((), ()),
        reward=(("lottery", 1.0), ("jackpot", 1.0)), onset=_spike,
    ),
    Sickness(
        name="unjudged", rules=("verifier-fails",), steps=14,
        settings=("verify.max_failed_share=0.95",), strengths=((), ()),
        reward=(("rarely_judged", 1.0), ("seldom_judged", 1.0)),
        onset=holds(lambda row: float(row["rollout/failed"] or 0)
                    > 0.05 * float(row["rollout/sampled"] or 1)),
    ),
    Sickness(
        name="hacked", rules=("reward-hacked", "one-answer"), steps=50,
        strengths=(("update.learning_rate=1e-3",), ("update.learning_rate=1e-3",)),
        reward=(("seven", 6.0), ("seven", 20.0)), onset=_hacked,
    ),
    Sickness(
        name="one-answer", rules=("one-answer", "entropy-collapse"), base="tiny-one", steps=80,
        settings=("entropy.mode=none",),
        strengths=(("update.learning_rate=4e-3",), ("update.learning_rate=8e-3",)),
        onset=holds(lambda row: float(row["rollout/same_share"] or 0) > 0.7),
    ),
    Sickness(
        name="overfit", rules=("data-exhausted",), data="sixteen", steps=60,
        strengths=(("update.learning_rate=6e-4",), ("update.learning_rate=1e-3",)),
        onset=_overfit,
    ),
    Sickness(
        name="duplicates", rules=("duplicated-prompts",), data="copies", steps=8,
        strengths=((), ("rollout.group_size=8",)), onset=at(1),
    ),
    Sickness(
        name="noisy-choice", rules=("noisy-evaluation",), data="", steps=20,
        settings=("checkpoint.best=heldout", "suite.1.every=4"),
        strengths=(("suite.1.limit=12",), ("suite.1.limit=24",)), onset=_choice_is_noise,
    ),
    Sickness(
        name="no-effect", rules=("dead-setting",), steps=24,
        strengths=(("update.clip_high=0.28",), ("update.clip_low=0.1",)), onset=at(15),
    ),
    Sickness(
        name="rate-too-low", rules=("nothing-moves",), steps=40,
        strengths=(("update.learning_rate=3e-8",), ("update.learning_rate=1e-7",)), onset=_still,
    ),
)  # fmt: skip


def write_problem_files(miniature: Path, target: Path) -> None:
    """Write the spoiled problem files beside those of a miniature."""
    lines = (miniature / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    fit = [row for row in rows if 2 <= row["difficulty"]["miniature"] <= 12]
    known = {row["prompt"] for row in fit}
    wrong = [row | {"answer": "99"} for row in rows if row["prompt"] not in known][:256]
    files = {
        "keys": wrong,
        "few": [
            *(row | {"id": f"{n}-{row['id']}"} for n, row in enumerate(fit[:14])),
            *wrong[:224],
        ],
        "sixteen": fit[:16],
        "solved": [row for row in rows if row["difficulty"]["miniature"] == 0],
        "copies": [row | {"id": f"{n}-{row['id']}"} for row in fit[:40] for n in range(8)],
    }
    target.mkdir(parents=True, exist_ok=True)
    for name, spoiled in files.items():
        text = "".join(json.dumps(row) + "\n" for row in spoiled)
        (target / f"{name}.jsonl").write_text(text, encoding="utf-8")
