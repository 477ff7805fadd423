"""``fastbp search``: the best settings in a space."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .application import app
from .common import console, ended_by_signals, reporting
from .sweep import Jobs

if TYPE_CHECKING:
    from ..sweeps.local import Processes
    from ..sweeps.search import Search

__all__ = ["search"]

File = Annotated[
    Path,
    typer.Argument(
        metavar="SPACE.toml",
        help="What is searched: tables named settings, which all trials share; space, with a list of values "
        "or a range for each setting; and search, with trials, seed and metric.",
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        "--trials",
        metavar="N",
        help="Finished trials that the study is to have in all, pruned ones included.",
        show_default="that of the file, or 50",
        min=1,
    ),
]
Study = Annotated[
    Path | None,
    typer.Option(
        "--study",
        metavar="FILE",
        help="Study file, Optuna's journal. Several commands may work on one at the same time.",
        show_default="study.journal in --out",
    ),
]
Seeds = Annotated[
    int,
    typer.Option("--seeds", metavar="N", help="Random seeds that the best settings are trained with.", min=1),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Folder for the best settings, the trials and figures.",
        show_default="searches/NAME",
    ),
]


@app.command()
def search(
    file: File,
    trials: Trials = None,
    study: Study = None,
    seeds: Seeds = 5,
    jobs: Jobs = None,
    out: Out = None,
    quiet: options.Quiet = False,
) -> None:
    """Search for the best settings in a space, then train them over random seeds.

    Trials are compared by their validation data. One that is worse than most others
    ends early. The test data are used once, for the best settings. The same
    command continues a search that was interrupted or killed.
    """
    with reporting(), ended_by_signals():
        from ..backends.pace import available_cores
        from ..data.source import printable
        from ..sweeps import SweepInterruptedError
        from ..sweeps.local import Processes
        from ..sweeps.search import read_search

        plan = read_search(file, trials=trials)
        folder = out or Path("searches") / plan.name
        where = study or folder / "study.journal"
        engine = Processes(min(jobs or available_cores(), max(plan.trials, seeds)))
        try:
            _search(plan, where, folder, seeds, engine, quiet=quiet)
        except SweepInterruptedError:
            typer.echo(
                f"finished trials are kept in {printable(where)}: the same command continues", err=True
            )
            raise


def _search(plan: Search, study: Path, folder: Path, seeds: int, engine: Processes, *, quiet: bool) -> None:
    """Make the trials, then train the best settings and write what was found."""
    from ..files import locked
    from ..sweeps.search import retrain, run_search
    from ..sweeps.search.report import print_found, write_found
    from ..sweeps.search.view import Quiet, view_for
    from ..sweeps.view import view_for as sweep_view_for

    screen = console()
    with Quiet() if quiet else view_for(screen) as view:
        found = run_search(plan, study, folder, engine, view)
    silent = console()
    silent.quiet = quiet
    with locked(folder, waits=True):  # other commands may have come to the end, too
        with sweep_view_for(silent) as runs_view:
            settings, runs = retrain(plan, found, seeds, folder, engine, runs_view)
        write_found(folder, found, settings, runs)
    print_found(screen, folder, found, runs, quiet=quiet)
