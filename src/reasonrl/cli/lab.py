"""The command `reasonrl lab build`.

Heavy imports happen inside the command, after the command line was checked.
"""

from __future__ import annotations

from typing import Annotated

import typer

from reasonrl.cli.endings import ExitCode
from reasonrl.errors import ConfigError

lab_app = typer.Typer(help="The miniature that studies run on.", no_args_is_help=True)


@lab_app.command("build")
def build(
    seed: Annotated[int, typer.Option(min=0, help="The seed of its weights and traces.")] = 1,
    world: Annotated[str, typer.Option(help="Its world: chains or search.")] = "chains",
    check: Annotated[
        bool, typer.Option(help="Build it again and compare every file with the cache.")
    ] = False,
) -> None:
    """Build the miniature that the studies start from, unless the cache has it: 2 to 4 minutes."""
    from reasonrl.cli.show.study import show_miniature
    from reasonrl.lab.miniature import differing_files, ensure
    from reasonrl.lab.worlds import WORLDS
    from reasonrl.terminal import Console

    if world not in WORLDS:
        raise ConfigError(f"--world {world}", expected=", ".join(WORLDS))
    spec, console = WORLDS[world], Console()
    show_miniature(console, ensure(spec, seed, console))
    if not check:
        return
    differing = differing_files(spec, seed, console)
    if differing:
        console.note(f"built again, these files differ: {', '.join(differing)}")
        raise typer.Exit(ExitCode.NO)
    console.note("built again: every file is the same to the bit")
