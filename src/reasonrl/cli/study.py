"""The commands `reasonrl study` and `reasonrl lab build`. Registered by `cli`, which says the rest.

Heavy imports happen inside the commands, after what was typed has been understood.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasonrl.cli.endings import ExitCode
from reasonrl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasonrl.studies.arms import Arm
    from reasonrl.studies.claims import Study
    from reasonrl.studies.runs import Ending
    from reasonrl.studies.verdicts import StudyResult
    from reasonrl.terminal import Console

Names = Annotated[
    list[str] | None, typer.Argument(help="Studies, e.g. n-sgd temperature.", metavar="[NAME]...")
]
Seeds = Annotated[
    int | None, typer.Option(min=1, help="Seeds of every arm; 3 or 5, as the study says.")
]
FirstSeed = Annotated[
    int, typer.Option(min=0, help="Of the seeds that are run and judged; those before it are not.")
]
Budget = Annotated[
    str | None, typer.Option(help="Begin no run after so long, e.g. 30m or 2h; go on another time.")
]
BaseRecipe = Annotated[
    str | None,
    typer.Option(
        help="A recipe file, or the name of a shipped recipe, e.g. or1-7b: run on it with the "
        "report's numbers, not on the miniature."
    ),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="With --recipe: change one value of it.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Runs at a time; one for each core.")]

lab_app = typer.Typer(help="The miniature that studies run on.", no_args_is_help=True)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def study(
    names: Names = None,
    every: Annotated[bool, typer.Option("--all", help="All studies of the catalog.")] = False,
    seeds: Seeds = None,
    first_seed: FirstSeed = 1,
    arms: Annotated[str | None, typer.Option(help="Only these arms, with commas.")] = None,
    budget: Budget = None,
    out: Annotated[Path, typer.Option(help="Where runs, verdicts and page are kept.")] = Path(
        "studies"
    ),
    workers: Workers = None,
    recipe: BaseRecipe = None,
    overrides: Overrides = None,
) -> None:
    """Run the report's ablations and say which directions were reproduced. Without a name: a list.

    reasonrl study n-sgd --seeds 5
    """
    from reasonrl.cli.show.study import show_catalog
    from reasonrl.studies.arms import arms_of
    from reasonrl.studies.catalog import studies_of
    from reasonrl.studies.scales import MINIATURE, REPORT
    from reasonrl.terminal import Console

    if overrides and not recipe:
        raise ConfigError("--set changes a recipe", expected="--recipe", remedy="name one")
    scale = REPORT if recipe else MINIATURE
    console, catalog, arms_known = Console(), studies_of(scale), arms_of(scale)
    named = [_known(name, catalog) for name in names or ()]
    if not named and not every:
        show_catalog(console, catalog.values())
        return
    chosen = list(catalog.values()) if every else named
    wanted = _arms(chosen, arms_known, arms, seeds)
    budget_s = None if budget is None else _seconds(budget)

    import psutil

    from reasonrl.lab.miniature import Spec
    from reasonrl.recipe.named import recipe_path
    from reasonrl.run.process import only_process
    from reasonrl.studies.bases import miniature_base, recipe_base
    from reasonrl.studies.results import results_of, write_results
    from reasonrl.studies.runs import build_miniatures, finished_jobs, jobs_of, run_jobs

    spec = Spec()
    base = recipe_base(recipe_path(recipe), overrides or ()) if recipe else miniature_base(spec)
    jobs = jobs_of(wanted, base, out, first_seed=first_seed)
    n_workers = workers or (1 if recipe else psutil.cpu_count() or 1)
    out.mkdir(parents=True, exist_ok=True)
    with only_process(out):
        needed = [] if recipe else sorted({job.seed for job in jobs})
        if not build_miniatures(spec, needed, console, out=out, workers=n_workers):
            raise typer.Exit(ExitCode.STOPPED)
        ending = run_jobs(jobs, console, workers=n_workers, budget_s=budget_s)
        judged = finished_jobs(arms_known.values(), base, out, first_seed=first_seed)
        results = results_of(catalog.values(), judged)
        page = write_results(results, out)
    names_chosen = {one.name for one in chosen}
    _end(console, [one for one in results if one.study.name in names_chosen], ending, page)


def _end(console: Console, results: Sequence[StudyResult], ending: Ending, page: Path) -> None:
    """Show what was found and say what is left to do; leave with 130 or 1 where that is due."""
    from reasonrl.cli.show.study import show_verdicts

    show_verdicts(console, results)
    console.note(f"done: {page}, {page.with_name('verdicts.json')}")
    if ending.left:
        console.note(f"{ending.left} runs are not finished; the same command goes on with them")
    if ending.is_stopped:
        raise typer.Exit(ExitCode.STOPPED)
    if ending.failures:
        raise typer.Exit(ExitCode.MENDABLE)


@lab_app.command("build")
def build(
    seed: Annotated[int, typer.Option(min=0, help="Of its weights and traces.")] = 1,
    check: Annotated[
        bool, typer.Option(help="Build it again and compare every file with the one in the cache.")
    ] = False,
) -> None:
    """Build the miniature that the studies start from, or find it in the cache. Two minutes."""
    from reasonrl.cli.show.study import show_miniature
    from reasonrl.lab.miniature import Spec, differing_files, ensure
    from reasonrl.terminal import Console

    console = Console()
    found = ensure(Spec(), seed, console)
    show_miniature(console, found)
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
    """Return the arms of studies, each with its number of seeds: the most that a study wants."""
    wanted: dict[str, int] = {}
    for one in studies:
        for name in one.arms:
            wanted[name] = max(wanted.get(name, 0), seeds or one.seeds)
    if only is not None:
        for name in (chosen := only.split(",")):
            if name not in wanted:
                raise ConfigError(
                    f"--arms {name}", expected="some of " + ", ".join(wanted), remedy=""
                )
        wanted = {name: wanted[name] for name in chosen}
    return [(arms[name], number) for name, number in wanted.items()]


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ConfigError(f"--budget {text}", expected="a time such as 90s, 30m or 2h")
    return float(found[1]) * _SECONDS[found[2]]
