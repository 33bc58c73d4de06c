"""What a person sees of studies and of the miniature: tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from reasonrl.terminal import Console

if TYPE_CHECKING:
    from reasonrl.lab.miniature import Miniature
    from reasonrl.studies.claims import Study
    from reasonrl.studies.verdicts import StudyResult


def show_catalog(console: Console, studies: Iterable[Study]) -> None:
    """List what can be run."""
    table = Table("study", "where", "question", "arms", "seeds")
    for study in studies:
        table.add_row(
            study.name, study.where, study.question, str(len(study.arms)), str(study.seeds)
        )
    console.print(table)
    console.note("reasonrl study NAME runs one, reasonrl study --all all of them")


def show_verdicts(console: Console, results: Sequence[StudyResult]) -> None:
    """Show each study's verdict and those on its claims."""
    table = Table("study", "claim", "verdict", "difference [95 %]", "seeds")
    for result in results:
        table.add_row(result.study.name, "", str(result.outcome).upper(), "", "")
        for one in result.verdicts:
            mark = "* " if one.claim.is_headline else "  "
            table.add_row(
                "", mark + one.claim.text, str(one.outcome), one.describe(), str(len(one.seeds))
            )
    console.print(table)
    console.note("* decides the study's verdict")


def show_miniature(console: Console, found: Miniature) -> None:
    """Say what a miniature is like."""
    rates = found.pass_rates
    console.note(f"{found.directory}")
    console.note(
        f"{found.n_parameters / 1e6:.2f}M parameters, accuracy {found.accuracy:.3f}, "
        f"entropy {found.entropy_nats:.3f} nats, {found.mean_tokens:.1f} tokens; "
        f"weights {found.digest}"
    )
    console.note(f"deciles of tokens: {' '.join(map(str, found.lengths))}")
    console.note(f"problems by right answers of 16: {' '.join(map(str, rates))}")
