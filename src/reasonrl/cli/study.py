"""The command `reasonrl study`.

Heavy imports happen inside the command, after the command line was checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl.cli.arguments import seconds_of
from reasonrl.cli.endings import ExitCode
from reasonrl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasonrl.studies.claims import Study
    from reasonrl.studies.runs import Ending, Job
    from reasonrl.studies.setting import StudySetting
    from reasonrl.studies.verdicts import StudyResult
    from reasonrl.terminal import Console

Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Studies, e.g. n-sgd temperature; report: all that the report has.",
        metavar="[NAME]...",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(min=1, help="Seeds of every arm. Default: as many as the study says."),
]
FirstSeed = Annotated[
    int, typer.Option(min=0, help="The first seed to run and judge; smaller seeds are left out.")
]
Budget = Annotated[
    str | None,
    typer.Option(help="Start no run after this time, e.g. 30m or 2h."),
]
Out = Annotated[Path, typer.Option(help="Directory of runs, verdicts and page.")]
BaseRecipe = Annotated[
    str | None,
    typer.Option(
        help="A recipe file, or the name of a shipped recipe, e.g. or1-7b: run on it with the "
        "report's numbers, not on the miniature."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="With --recipe: change one value, e.g. engine=gpus-8."),
]
WorldName = Annotated[
    str | None,
    typer.Option(
        "--world",
        help="The world of the miniatures: chains, search or all. Default: chains; with --judge "
        "and --power: all.",
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Runs side by side. Default: one for each core.")
]

Keep = Annotated[
    Path | None,
    typer.Option(help="Also keep what verdicts need of each finished run in this directory."),
]
Judge = Annotated[
    Path | None,
    typer.Option(help="Run nothing: judge what was kept in this directory."),
]
ShowPower = Annotated[
    bool,
    typer.Option(
        "--power",
        help="Run nothing: where the noise comes from, and the seeds that each claim takes.",
    ),
]

Starred = Annotated[
    bool,
    typer.Option("--starred", help="Only the arms of the starred claims, which decide a study."),
]

EVERY = "all"
"""The name of all worlds together."""


def study(
    names: Names = None,
    every: Annotated[bool, typer.Option("--all", help="All studies of the catalog.")] = False,
    seeds: Seeds = None,
    first_seed: FirstSeed = 1,
    arms: Annotated[str | None, typer.Option(help="Only these arms, separated by commas.")] = None,
    starred: Starred = False,
    budget: Budget = None,
    out: Out = Path("studies"),
    workers: Workers = None,
    recipe: BaseRecipe = None,
    overrides: Overrides = None,
    world: WorldName = None,
    keep: Keep = None,
    judge: Judge = None,
    power: ShowPower = False,
) -> None:
    """Run the report's ablations and judge which directions are reproduced. Without a name: a list.

    reasonrl study n-sgd --seeds 5
    reasonrl study --judge docs/lab/results
    """
    from reasonrl.cli.show.study import show_catalog
    from reasonrl.studies.catalog import studies_of
    from reasonrl.studies.choice import studies_named, wanted_arms
    from reasonrl.studies.scales import MINIATURE, REPORT
    from reasonrl.terminal import Console

    is_run = judge is None and not power
    if overrides and not recipe:
        raise ConfigError("--set changes a recipe", expected="--recipe", remedy="pass --recipe")
    if not is_run:
        _refuse_what_is_about_runs(keep, is_starred=starred)
    console, catalog = Console(), studies_of(REPORT if recipe else MINIATURE)
    studies = studies_named(names or (), catalog, every=every)
    if is_run and not studies:
        show_catalog(console, catalog.values())
        return
    studies = studies or list(catalog.values())
    wanted = wanted_arms(studies, only=arms, seeds=seeds, is_starred=starred)

    settings = _settings(recipe, overrides, world or ("chains" if is_run else EVERY))
    ending = None
    if is_run:
        jobs = _jobs(console, settings, studies, wanted, out, first_seed, keep)
        ending = _run(console, jobs, out, workers, seconds_of(budget))
    results = _results_so_far(console, settings, judge, out, first_seed=first_seed, keep=keep)
    _show(console, results, studies, power=power)
    if ending is not None:
        _end(console, ending)


def _refuse_what_is_about_runs(keep: Path | None, *, is_starred: bool) -> None:
    if keep or is_starred:
        raise ConfigError(
            "--keep and --starred are about runs to make; --judge and --power make none",
            remedy="leave them out",
        )


def _settings(
    recipe: str | None, overrides: Sequence[str] | None, world: str
) -> list[StudySetting]:
    """Return where studies run: on a recipe, or on the miniatures of one world or of all."""
    from reasonrl.lab.worlds import WORLDS
    from reasonrl.recipe.named import recipe_path
    from reasonrl.studies.setting import on_miniatures, on_recipe

    if recipe:
        return [on_recipe(recipe_path(recipe), overrides or ())]
    if world not in (*WORLDS, EVERY):
        raise ConfigError(f"--world {world}", expected=", ".join((*WORLDS, EVERY)))
    return [on_miniatures(name) for name in WORLDS if world in (name, EVERY)]


def _jobs(
    console: Console,
    settings: Sequence[StudySetting],
    studies: Sequence[Study],
    wanted: Mapping[str, int],
    out: Path,
    first_seed: int,
    keep: Path | None,
) -> list[Job]:
    """Return the runs to make, seed by seed, without the seeds that `keep` has already.

    `wanted` holds the arms and the number of seeds of each.
    """
    from reasonrl.studies.kept import read_kept
    from reasonrl.studies.made import made_seeds
    from reasonrl.studies.runs import jobs_of

    kept = read_kept(keep) if keep is not None and any(keep.glob("*.jsonl")) else []
    jobs: list[Job] = []
    for setting in settings:
        arms = [(setting.arms[name], n) for name, n in wanted.items()]
        found = jobs_of(arms, setting.base, out, spec=setting.spec, first_seed=first_seed)
        made: set[int] = set()
        if kept:
            made = made_seeds(setting, kept, studies=studies, wanted=wanted, first_seed=first_seed)
        if made:
            numbers = ", ".join(map(str, sorted(made)))
            console.note(f"seeds that {keep} has already in {setting.world}: {numbers}")
        jobs += [job for job in found if job.seed not in made]
    return sorted(jobs, key=lambda job: job.seed)


def _run(
    console: Console,
    jobs: Sequence[Job],
    out: Path,
    workers: int | None,
    budget_s: float | None,
) -> Ending:
    """Make the runs."""
    import psutil

    from reasonrl.run.process import only_process
    from reasonrl.studies.runs import run_jobs

    on_miniatures = all(job.spec for job in jobs)
    n_workers = workers or (psutil.cpu_count() or 1 if on_miniatures else 1)
    out.mkdir(parents=True, exist_ok=True)
    with only_process(out):
        return run_jobs(jobs, console, workers=n_workers, budget_s=budget_s)


def _results_so_far(
    console: Console,
    settings: Sequence[StudySetting],
    judge: Path | None,
    out: Path,
    *,
    first_seed: int,
    keep: Path | None,
) -> list[StudyResult]:
    """Judge the runs in `out`, or what is kept in the directory `judge`, and write the page."""
    from reasonrl.studies.kept import keep as keep_runs
    from reasonrl.studies.kept import read_kept
    from reasonrl.studies.reading import origin_here
    from reasonrl.studies.results import kept_runs, results_of, results_of_kept, write_results
    from reasonrl.studies.runs import finished_jobs, read_records

    kept = [run for run in read_kept(judge) if run.seed >= first_seed] if judge else []
    results: list[StudyResult] = []
    for setting in settings:
        if judge is not None:
            found, notes = results_of_kept(setting, kept)
            for note in notes:
                console.note(note)
        else:
            jobs = finished_jobs(setting.arms.values(), setting.base, out, first_seed=first_seed)
            records = read_records(jobs)
            pages = {(job.arm.name, job.seed): job.page for job in jobs}
            found = results_of(setting, records, pages)
            if keep is not None:
                runs = kept_runs(setting, records, origin_here())
                for path in keep_runs(runs, keep):
                    console.note(f"kept: {path}")
                if n := len(records) - len(runs):
                    console.note(
                        f"not kept: {n} runs of another commit or machine; run the same command "
                        "with the code that made them"
                    )
        results += found
    page = write_results(results, settings[0].studies.values(), out)
    console.note(f"done: {page}, {page.with_name('verdicts.json')}")
    return results


def _show(
    console: Console,
    results: Sequence[StudyResult],
    studies: Sequence[Study],
    *,
    power: bool = False,
) -> None:
    from reasonrl.cli.show.study import show_power, show_verdicts
    from reasonrl.studies.answer import decided

    names = {study.name for study in studies}
    results = [result for result in results if result.study.name in names]
    if power:
        show_power(console, results)
    else:
        show_verdicts(console, results)
        for sentence in decided(results, studies):
            console.note(sentence)


def _end(console: Console, ending: Ending) -> None:
    """Tell the work that is left; exit with STOPPED, or MENDABLE if a run failed."""
    if ending.left:
        console.note(f"{ending.left} runs are not finished; rerun the same command to continue")
    if ending.is_stopped:
        raise typer.Exit(ExitCode.STOPPED)
    if ending.failures:
        raise typer.Exit(ExitCode.MENDABLE)
