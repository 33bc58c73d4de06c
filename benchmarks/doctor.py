"""The doctor's score: planted sicknesses named in time, and healthy runs left alone.

    python -m benchmarks.doctor [--part chosen|second|third|held-out] [--out runs/doctor-bench]
        [--workers 2] [--only NAME ...] [--healthy 60] [--make]

Makes the runs that are not there yet, with the seeds of a part: thresholds may be chosen on
seeds 1 and 2 with miniature 1 ("chosen"), and were corrected after a score on seeds 11 to 13 with
miniature 2 ("second"), and again after one on seeds 21 to 23 with miniature 3 ("third"). The score
is on seeds 31 to 34 with miniature 5 ("held-out"), which nothing was chosen on.

`benchmarks.sickness` has the sicknesses and the measured condition by which each shows. A sickness
is hit if a rule that may name it does so at the latest five steps after the onset, and no earlier
than five steps before it; a finding that is said to follow from another counts as that other. A run
whose sickness never shows is not counted. A healthy run is a run of an arm that is known to learn,
in which no condition holds; any finding there is false. About an hour on two cores; a rerun only
makes what is missing.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import DocstringHelp, report
from benchmarks.lab_runs import Planned, lab_recipe, make_all
from benchmarks.sickness import REWARDS, SICKNESSES, Sickness, write_problem_files
from reasonrl.api import load_recipe, train
from reasonrl.diagnosis.finding import RunFinding
from reasonrl.lab.miniature import Spec, directory_of, ensure
from reasonrl.recipe.named import recipe_path
from reasonrl.run.layout import SUMMARY
from reasonrl.run.prescriptions import examine_run
from reasonrl.run.record import RunRecorder
from reasonrl.terminal import Console

PARTS: Mapping[str, tuple[int, ...]] = {
    "chosen": (1, 2),
    "second": (11, 12, 13),
    "third": (21, 22, 23),
    "held-out": (31, 32, 33, 34),
}
MINIATURES: Mapping[str, int] = {"chosen": 1, "second": 2, "third": 3, "held-out": 5}

LATEST, EARLIEST = 5, 5
"""Steps after and before the onset within which a finding is a hit."""

EARLIEST_WARNING = 30
"""The same for the warning that a collapse is near, as in `diagnosis.collapse`."""

HEALTHY: Mapping[str, tuple[str, ...]] = {
    "on-policy": (),
    "small-groups": ("rollout.group_size=8",),
    "two-minibatches": (
        "update.minibatches=2",
        "entropy.mode=report",
        "entropy.target_nats=0.24",
        "entropy.delta=2e-3",
        "entropy.maximum=0.05",
    ),
    "penalty": ("update.kl_coefficient=0.02",),
    "cool": ("rollout.temperature=0.8",),
    "fixed": ("entropy.mode=fixed", "entropy.initial=3e-3"),
}
"""Arms that learn on the miniature, as changes to the base."""


def planned_runs(out: Path, part: str, n_healthy: int) -> Iterator[Planned]:
    """Yield the runs of a part: every sickness in every strength with every seed, and healthy."""
    seeds, miniature = PARTS[part], directory_of(Spec(), MINIATURES[part])
    for sickness in SICKNESSES:
        on_tiny = ("engine.threads=1", "suite=[]") if sickness.base == "tiny" else ()
        for number, strength in enumerate(sickness.strengths, start=1):
            for seed in seeds:
                yield Planned(
                    directory=out / part / f"{sickness.name}-{number}-seed-{seed}",
                    recipe=_recipe(sickness, number - 1, miniature, out / part),
                    overrides=(f"seed={seed}", *sickness.settings, *strength, *on_tiny),
                    sickness=sickness.name,
                    files={"rewards.py": REWARDS},
                )
    for number in range(n_healthy):
        arm = list(HEALTHY)[number % len(HEALTHY)]
        seed = seeds[0] + 100 + number // len(HEALTHY)
        name = f"healthy-{arm}-seed-{seed}"
        yield Planned(
            directory=out / part / name,
            recipe=lab_recipe(name, miniature, [50]),
            overrides=(f"seed={seed}", *HEALTHY[arm]),
        )


def _recipe(sickness: Sickness, number: int, miniature: Path, folder: Path) -> str:
    """Return the recipe of a sickness in one strength: TOML, or the name of a shipped recipe."""
    if sickness.base == "tiny":
        return "tiny"
    if sickness.base == "tiny-one":
        return _tiny_one(sickness, folder / "plain")
    more = ""
    if sickness.reward:
        function, weight = sickness.reward[number]
        more = '[[reward]]\ntype = "verifier"\n[[reward]]\ntype = "function"\n'
        more += f'function = "rewards.py:{function}"\nweight = {weight}\nname = "{function}"\n'
    problems = None
    if sickness.data == "endless":
        miniature = folder / "endless"
    elif sickness.data:
        problems = folder / "problems" / f"{sickness.data}.jsonl"
    stages = [sickness.steps] * (2 if sickness.base == "lab-two" else 1)
    return lab_recipe(
        sickness.name,
        miniature,
        stages,
        problems=problems,
        is_filtered=not sickness.data,
        more=more,
    )


def _tiny_one(sickness: Sickness, plain: Path) -> str:
    """Return the tiny recipe with one stage, and no suite."""
    whole = recipe_path("tiny").read_text(encoding="utf-8")
    head = whole[: whole.index("[[stage]]")]
    if sickness.name == "no-box":
        # A model that has learned to answer without a box.
        head = head.replace('name = "tiny"\n\n[data]', f'name = "{plain}"\n\n[data]')
    return f"{head}\n[engine]\nthreads = 1\n[[stage]]\nsteps = {sickness.steps}\n"


def write_inputs(out: Path, part: str) -> None:
    """Build the part's miniature, and write what the sicknesses need beside it."""
    seed = MINIATURES[part]
    miniature = ensure(Spec(), seed, Console()).directory
    folder = out / part
    if not (folder / "plain" / SUMMARY).exists():
        recipe = load_recipe("tiny", [f"seed={seed}", "engine.threads=1", "suite=[]"])
        train(recipe, folder / "plain", quiet=True)
    write_problem_files(miniature, folder / "problems")
    endless = folder / "endless"
    if endless.exists():
        return
    shutil.copytree(miniature, endless)
    for name, key, value in (
        ("tokenizer_config.json", "eos_token", "<user>"),
        ("generation_config.json", "eos_token_id", 1),
        ("config.json", "eos_token_id", 1),
    ):
        path = endless / name
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(table | {key: value}), encoding="utf-8")


def onset_of(sickness: Sickness, run: Path) -> int | None:
    """Return the step at which a run's sickness shows, None if it never does."""
    recorder = RunRecorder(run)
    heldout = {
        result.step: result.accuracy.value
        for result in recorder.evaluations()
        if result.accuracy is not None
    }
    return sickness.onset(recorder.metrics(), heldout)


def hit_of(sickness: Sickness, onset: int, findings: Sequence[RunFinding]) -> RunFinding | None:
    """Return the finding that names a sickness in time."""
    for finding in findings:
        earliest = EARLIEST_WARNING if finding.rule == "entropy-falls" else EARLIEST
        is_timely = onset - earliest <= finding.found_step <= onset + LATEST
        # A finding that is said to follow from another names that other as the cause.
        if (finding.follows or finding.rule) in sickness.rules and is_timely:
            return finding
    return None


def scores(runs: Sequence[Planned]) -> None:
    """Print the table of sicknesses, and the healthy runs."""
    by_name = {sickness.name: sickness for sickness in SICKNESSES}
    rows: list[dict[str, str | int]] = []
    hits = shown = 0
    for name, sickness in by_name.items():
        own = [run for run in runs if run.sickness == name and run.is_done]
        onsets = {run.name: onset_of(sickness, run.directory) for run in own}
        named, leads, others = 0, [], Counter[str]()
        for run in own:
            onset = onsets[run.name]
            findings = [each.finding for each in examine_run(run.directory)]
            others.update(
                f.rule for f in findings if f.rule not in sickness.rules and not f.follows
            )
            if onset is not None and (hit := hit_of(sickness, onset, findings)):
                named += 1
                leads.append(onset - hit.found_step)
        n_shown = sum(onset is not None for onset in onsets.values())
        hits, shown = hits + named, shown + n_shown
        rows.append(
            {
                "sickness": name,
                "runs": len(own),
                "shown": n_shown,
                "named in time": named,
                "steps after the onset": " ".join(str(-lead) for lead in sorted(leads)),
                "also said": ", ".join(f"{rule} {n}" for rule, n in others.most_common(4)),
            }
        )
    report(rows, None)
    print(f"\n{hits} of {shown} named in time ({hits / max(shown, 1):.0%}; goal 95 %)")
    _healthy(runs, by_name)


def _healthy(runs: Sequence[Planned], by_name: Mapping[str, Sickness]) -> None:
    done = [run for run in runs if not run.sickness and run.is_done]
    general = [by_name[name] for name in ("rate", "collapse", "explosion", "cut-off", "wrong-keys")]
    sick = [run for run in done if any(onset_of(one, run.directory) is not None for one in general)]
    healthy = [run for run in done if run not in sick]
    false = Counter[str]()
    n_false = 0
    for run in healthy:
        findings = [each.finding for each in examine_run(run.directory)]
        n_false += bool(findings)
        false.update(f"{f.rule} ({run.name}, step {f.found_step})" for f in findings)
    print(f"{n_false} of {len(healthy)} healthy runs with a finding (goal: 1 of 20)")
    print(f"left out, for a condition holds in them: {[run.name for run in sick]}")
    for what, n in false.most_common():
        print(f"  false: {what} {n}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=DocstringHelp)
    parser.add_argument("--out", type=Path, default=Path("runs/doctor-bench"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--part", choices=list(PARTS), default="held-out")
    parser.add_argument("--healthy", type=int, default=60)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--make", action="store_true", help="make the runs, and score nothing")
    given = parser.parse_args()
    given.out = given.out.resolve()
    write_inputs(given.out, given.part)
    runs = list(planned_runs(given.out, given.part, given.healthy))
    if given.only:
        runs = [run for run in runs if (run.sickness or "healthy") in given.only]
    make_all(runs, given.workers)
    if not given.make:
        scores(runs)


if __name__ == "__main__":
    main()
