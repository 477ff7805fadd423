"""``fastbp sweep``: many runs over settings and random seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from .application import app
from .common import console, ended_by_signals, reporting

__all__ = ["sweep"]

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE.toml",
        help="What varies: [settings] that all runs share, [grid] with lists of values, [[list]] of groups "
        "of settings, [random] draws.",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds", metavar="N", help="Random seeds: 0 to N - 1.", show_default="that of the file, or 5", min=1
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", help="Runs at a time.", show_default="one per core", min=1),
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="NAME|PATH",
        help="Data to train on, instead of those in the file; several times for several data sets.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Folder for a file a run. A sweep continues what the folder holds.",
        show_default="sweeps/NAME",
    ),
]


@app.command()
def sweep(
    file: File,
    seeds: Seeds = None,
    jobs: Jobs = None,
    data: Data = None,
    out: Out = None,
) -> None:
    """Make many runs: every combination of settings, over random seeds.

    Each run has one thread; as many go side by side as there are cores. Completed runs
    are kept, and checkpoints of those in training: the same command continues a sweep
    that was interrupted or killed. A run that fails is recorded with its error, and
    does not stop the others.
    """
    with reporting(), ended_by_signals():
        from ..backends.pace import available_cores
        from ..data.source import printable
        from ..sweeps import SweepInterruptedError, read_sweep, run_sweep
        from ..sweeps.local import Processes
        from ..sweeps.view import view_for

        plan = read_sweep(file, data=data or (), seeds=seeds)
        folder = out or Path("sweeps") / plan.name
        screen = console()
        try:
            with view_for(screen) as view:
                failed = run_sweep(plan, folder, Processes(jobs or available_cores()), view)
        except SweepInterruptedError:
            typer.echo(
                f"completed runs are kept in {printable(folder)}: the same command continues", err=True
            )
            raise
        typer.echo(f"{printable(folder)}: {view.total:,} runs; fastbp sweep-report {printable(folder)}")
        if failed:
            raise ConfigError(
                f"{failed:,} of {view.total:,} runs failed, and their files say why; the same command tries "
                "them again"
            )
