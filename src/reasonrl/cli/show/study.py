"""Show studies and the miniature."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan, sqrt
from typing import TYPE_CHECKING

from rich.table import Table

from reasonrl.terminal import Console

if TYPE_CHECKING:
    from reasonrl.lab.miniature import Miniature
    from reasonrl.studies.claims import Study
    from reasonrl.studies.verdicts import StudyResult


def show_catalog(console: Console, studies: Iterable[Study]) -> None:
    """List the studies that can be run."""
    table = Table("study", "where", "question", "arms", "seeds")
    for study in studies:
        table.add_row(
            study.name, study.where, study.question, str(len(study.arms)), str(study.seeds)
        )
    console.print(table)
    console.note(
        "`reasonrl study NAME` runs one study, `reasonrl study report` all that the report has, "
        "`reasonrl study --all` all of them; --seeds 3 makes a first look"
    )


def show_verdicts(console: Console, results: Sequence[StudyResult]) -> None:
    """Show the verdict on each study and on each of its claims."""
    from reasonrl.studies.words import difference_words

    table = Table("study", "claim", "verdict", "difference [95 %]", "seeds")
    for result in results:
        table.add_row(result.study.name, result.world, str(result.outcome).upper(), "", "")
        for verdict in result.verdicts:
            claim = ("* " if verdict.claim.is_headline else "  ") + verdict.claim.text
            n_seeds = str(len(verdict.seeds))
            told = difference_words(verdict)
            table.add_row("", claim, str(verdict.outcome), told, n_seeds)
    console.print(table)
    console.note("* decides the study's verdict")


def show_miniature(console: Console, miniature: Miniature) -> None:
    """Print what was measured of a miniature."""
    rates = miniature.pass_rates
    console.note(f"{miniature.directory}")
    console.note(
        f"{miniature.n_parameters / 1e6:.2f}M parameters, accuracy {miniature.accuracy:.3f}, "
        f"entropy {miniature.entropy_nats:.3f} nats, {miniature.mean_tokens:.1f} tokens; "
        f"weights {miniature.digest}"
    )
    console.note(f"deciles of tokens: {' '.join(map(str, miniature.lengths))}")
    console.note(f"problems by right answers of 16: {' '.join(map(str, rates))}")


def show_power(console: Console, results: Sequence[StudyResult]) -> None:
    """Show the spread of each headline claim, its parts, and the seeds that decide the claim."""
    from reasonrl.studies.noise import noise_of
    from reasonrl.studies.power import power_of

    table = Table(
        *("claim", "margin", "difference", "spread", "of it samples", "problems", "seeds"),
        *("power", "hardest", "seeds for 80 %", "hardest"),
    )
    for result in results:
        for verdict in result.verdicts:
            noise = noise_of(verdict.claim, result.records)
            if not verdict.claim.is_headline or noise is None or verdict.mean is None:
                continue
            spread, n = sqrt(noise.total), len(verdict.seeds)
            power = power_of(verdict.claim, mean=verdict.mean, spread=spread, seeds=n)
            table.add_row(
                f"{result.study.name}, {result.world}: {verdict.claim.text}",
                f"{verdict.claim.within:.3g}",
                f"{verdict.mean:+.3f}",
                f"{spread:.3f}",
                _share(noise.samples, noise.total),
                _deviation(noise.problems),
                str(n),
                f"{power.as_seen:.0%}",
                f"{power.hardest:.0%}",
                str(power.needed_as_seen or "over 1000"),
                str(power.needed_hardest or "over 1000"),
            )
    console.print(table)
    console.note(
        "spread: standard deviation over seeds; of it samples: the share of its square that comes "
        "from the samples of the evaluations; problems: the error of the mean by the choice of "
        "problems, which no seed lowers; power: the chance that the claim is decided, with the "
        "difference seen, and with the difference that is hardest to decide"
    )


def _share(part: float, whole: float) -> str:
    return "-" if isnan(part) or not whole else f"{part / whole:.0%}"


def _deviation(variance: float) -> str:
    return "-" if isnan(variance) else f"{sqrt(variance):.3f}"
