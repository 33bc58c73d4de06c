"""The commands `reasonrl study` and `reasonrl lab build`.

Heavy imports happen inside the commands, after the command line was checked.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl.cli.arguments import seconds_of
from reasonrl.cli.endings import ExitCode
from reasonrl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasonrl.lab.miniature import Spec
    from reasonrl.studies.arms import Arm
    from reasonrl.studies.claims import Study
    from reasonrl.studies.runs import Ending, Job
    from reasonrl.studies.verdicts import StudyResult
    from reasonrl.terminal import Console

Names = Annotated[
    list[str] | None, typer.Argument(help="Studies, e.g. n-sgd temperature.", metavar="[NAME]...")
]
Seeds = Annotated[
    int | None,
    typer.Option(min=1, help="Seeds of every arm. Default: 3 or 5, as the study says."),
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
Workers = Annotated[
    int | None, typer.Option(min=1, help="Runs side by side. Default: one for each core.")
]

lab_app = typer.Typer(help="The miniature that studies run on.", no_args_is_help=True)


def study(
    names: Names = None,
    every: Annotated[bool, typer.Option("--all", help="All studies of the catalog.")] = False,
    seeds: Seeds = None,
    first_seed: FirstSeed = 1,
    arms: Annotated[str | None, typer.Option(help="Only these arms, separated by commas.")] = None,
    budget: Budget = None,
    out: Out = Path("studies"),
    workers: Workers = None,
    recipe: BaseRecipe = None,
    overrides: Overrides = None,
) -> None:
    """Run the report's ablations and judge which directions are reproduced. Without a name: a list.

    reasonrl study n-sgd --seeds 5
    """
    from reasonrl.cli.show.study import show_catalog
    from reasonrl.studies.arms import arms_of
    from reasonrl.studies.catalog import studies_of
    from reasonrl.studies.scales import MINIATURE, REPORT
    from reasonrl.terminal import Console

    if overrides and not recipe:
        raise ConfigError("--set changes a recipe", expected="--recipe", remedy="pass --recipe")
    scale = REPORT if recipe else MINIATURE
    console, catalog, arms_known = Console(), studies_of(scale), arms_of(scale)
    named = [_known(name, catalog) for name in names or ()]
    if not named and not every:
        show_catalog(console, catalog.values())
        return
    chosen = list(catalog.values()) if every else named
    wanted, budget_s = _arms(chosen, arms_known, arms, seeds), seconds_of(budget)

    from reasonrl.lab.miniature import Spec
    from reasonrl.recipe.named import recipe_path
    from reasonrl.run.process import only_process
    from reasonrl.studies.bases import miniature_base, recipe_base
    from reasonrl.studies.results import results_of, write_results
    from reasonrl.studies.runs import finished_jobs, jobs_of

    lab = None if recipe else Spec()
    base = recipe_base(recipe_path(recipe), overrides or ()) if recipe else miniature_base(Spec())
    jobs = jobs_of(wanted, base, out, first_seed=first_seed)
    out.mkdir(parents=True, exist_ok=True)
    with only_process(out):
        ending = _make_runs(jobs, lab, console, out, workers=workers, budget_s=budget_s)
        judged = finished_jobs(arms_known.values(), base, out, first_seed=first_seed)
        results = results_of(catalog.values(), judged)
        page = write_results(results, out)
    _end(console, [result for result in results if result.study in chosen], ending, page)


def _make_runs(
    jobs: Sequence[Job],
    spec: Spec | None,
    console: Console,
    out: Path,
    *,
    workers: int | None,
    budget_s: float | None,
) -> Ending:
    """Build the miniatures of a spec that the runs need, if any, and make the runs.

    Exits with STOPPED when a person stops it while it builds.
    """
    import psutil

    from reasonrl.studies.runs import build_miniatures, run_jobs

    n_workers = workers or (psutil.cpu_count() or 1 if spec else 1)
    if spec is not None:
        seeds = sorted({job.seed for job in jobs})
        if not build_miniatures(spec, seeds, console, out=out, workers=n_workers):
            raise typer.Exit(ExitCode.STOPPED)
    return run_jobs(jobs, console, workers=n_workers, budget_s=budget_s)


def _end(console: Console, results: Sequence[StudyResult], ending: Ending, page: Path) -> None:
    """Show the verdicts and the work left; exit with STOPPED, or MENDABLE if a run failed."""
    from reasonrl.cli.show.study import show_verdicts

    show_verdicts(console, results)
    console.note(f"done: {page}, {page.with_name('verdicts.json')}")
    if ending.left:
        console.note(f"{ending.left} runs are not finished; rerun the same command to continue")
    if ending.is_stopped:
        raise typer.Exit(ExitCode.STOPPED)
    if ending.failures:
        raise typer.Exit(ExitCode.MENDABLE)


@lab_app.command("build")
def build(
    seed: Annotated[int, typer.Option(min=0, help="The seed of its weights and traces.")] = 1,
    check: Annotated[
        bool, typer.Option(help="Build it again and compare every file with the cache.")
    ] = False,
) -> None:
    """Build the miniature that the studies start from, unless the cache has it. Two minutes."""
    from reasonrl.cli.show.study import show_miniature
    from reasonrl.lab.miniature import Spec, differing_files, ensure
    from reasonrl.terminal import Console

    console = Console()
    show_miniature(console, ensure(Spec(), seed, console))
    if not check:
        return
    differing = differing_files(Spec(), seed, console)
    if differing:
        console.note(f"built again, these files differ: {', '.join(differing)}")
        raise typer.Exit(ExitCode.NO)
    console.note("built again: every file is the same to the bit")


def _known(name: str, catalog: Mapping[str, Study]) -> Study:
    if name not in catalog:
        near = difflib.get_close_matches(name, catalog, n=1, cutoff=0.4)
        raise ConfigError(
            f"no study {name!r}",
            expected="one of " + ", ".join(catalog),
            remedy=f"did you mean {near[0]}?" if near else "",
        )
    return catalog[name]


def _arms(
    studies: Sequence[Study], arms: Mapping[str, Arm], only: str | None, seeds: int | None
) -> list[tuple[Arm, int]]:
    """Return the arms of studies, each with the largest number of seeds that a study asks for."""
    wanted: dict[str, int] = {}
    for study in studies:
        for name in study.arms:
            wanted[name] = max(wanted.get(name, 0), seeds or study.seeds)
    if only is not None:
        for name in (chosen := only.split(",")):
            if name not in wanted:
                raise ConfigError(f"--arms {name}", expected="some of " + ", ".join(wanted))
        wanted = {name: wanted[name] for name in chosen}
    return [(arms[name], number) for name, number in wanted.items()]
