"""``fastbp sweep``: many runs over settings and random seeds, and their report."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import ConfigError
from . import options
from .application import app
from .common import console, ended_by_signals, print_json, reporting

if TYPE_CHECKING:
    from ..sweeps import Sweep
    from ..sweeps.pool import Engine
    from ..sweeps.summary import Summary

__all__ = ["sweep"]

RUN = "run"  # what is meant where no command is named
SHOWN = 20  # variants in the terminal
MOST_JOBS = 1024  # processes, which all start at once


class _FileOrCommand(TyperGroup):
    """``fastbp sweep grid.toml`` makes runs; ``fastbp sweep report`` is a command."""

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of the command that is meant; see the base class."""
        if args and args[0] in self.commands and args[0] != RUN:
            return super().make_context(info_name, args, parent, **extra)
        return self.commands[RUN].make_context(info_name, args, parent, **extra)


sweep = typer.Typer(
    cls=_FileOrCommand,
    help="Make many runs: every combination of settings, over random seeds.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(sweep, name="sweep")

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE.toml",
        help="What varies. Its tables: settings, for all runs; grid, lists of values; list, groups of "
        "settings; random, values to draw.",
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
    typer.Option(
        "--jobs", metavar="N", help="Runs at a time.", show_default="one per core", min=1, max=MOST_JOBS
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Make the runs on the workers of a Dask scheduler, such as tcp://host:8786, one for each of "
        "their threads, instead of here.",
    ),
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


@sweep.command(RUN, hidden=True, epilog="fastbp sweep report FOLDER: tables, figures and a page of the runs.")
def run(
    file: File,
    seeds: Seeds = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
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
        from ..data.source import printable
        from ..sweeps import SweepInterruptedError, read_sweep, run_sweep
        from ..sweeps.view import view_for

        plan = read_sweep(file, data=data or (), seeds=seeds)
        folder = out or Path("sweeps") / plan.name
        engine = _engine(plan, folder, jobs, scheduler)
        try:
            with view_for(console()) as view:
                failed = run_sweep(plan, folder, engine, view)
        except SweepInterruptedError:
            typer.echo(
                f"completed runs are kept in {printable(folder)}: the same command continues", err=True
            )
            raise
        typer.echo(f"{printable(folder)}: {view.total:,} runs; fastbp sweep report {printable(folder)}")
        if failed:
            raise ConfigError(
                f"{failed:,} of {view.total:,} runs failed, and their files say why; the same command tries "
                "them again"
            )


def _engine(plan: Sweep, folder: Path, jobs: int | None, scheduler: str | None) -> Engine:
    """Return where runs are made."""
    if scheduler is None:
        from ..backends.pace import available_cores
        from ..sweeps.local import Processes

        return Processes(min(jobs or available_cores(), plan.seeds * len(plan.variants)))
    if jobs is not None:
        raise ConfigError("--jobs and --scheduler exclude each other: a cluster fills all its threads")
    from ..sweeps.cluster import Cluster, files_of
    from ..sweeps.task import WORK

    for name in ("distributed", "distributed.client"):  # errors are said here, in one line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    work = (folder / WORK).absolute()
    return Cluster(scheduler, work, files_of(plan), lambda line: typer.echo(line, err=True))


Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="The folder of a sweep, finished or not: its --out.")
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="What variants are judged by: test_accuracy, r2, validation_accuracy, test_loss, "
        "validation_loss, train_accuracy, train_loss, epochs_completed, best_epoch, parameters, "
        "training_seconds or wall_seconds.",
        show_default="test accuracy; R2 of regression; validation accuracy if nothing was tested",
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        metavar="FILE",
        help="Write a row a run to FILE, and a row a variant to FILE with -variants in its name.",
    ),
]
Parquet = Annotated[
    Path | None, typer.Option("--parquet", metavar="FILE", help="The same two tables as Parquet.")
]
Page = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE.html",
        help="The page: tables, figures, failures, machines.",
        show_default="FOLDER/report.html; none with --json",
    ),
]


@sweep.command("report")
def report(
    folder: Folder,
    metric: Metric = None,
    csv: Table = None,
    parquet: Parquet = None,
    out: Page = None,
    as_json: options.Json = False,
) -> None:
    """Report on a sweep: means over random seeds, figures, and a page.

    The page has the best variants, parallel coordinates, a heat map, the effect of each
    setting, and the runs that failed. With several data sets it also compares variants
    by their mean ranks. The sweep need not be finished.
    """
    with reporting():
        from ..files import replace_file
        from ..sweeps.page import sweep_html
        from ..sweeps.report import as_values, write_csv, write_parquet
        from ..sweeps.store import Store
        from ..sweeps.summary import summarize

        summary = summarize(folder, metric)
        written = [*write_csv(summary, csv), *write_parquet(summary, parquet)]
        page = out or (None if as_json else folder / "report.html")
        if page is not None:
            replace_file(page, sweep_html(summary, Store(folder).asked()))
            written.append(page)
        if as_json:
            print_json(as_values(summary))
        else:
            _show(summary, written)


def _show(summary: Summary, written: list[Path]) -> None:
    """Print the best variants, what is to know of the runs, and what was written."""
    from ..data.source import printable
    from ..sweeps.tables import DataTable, notes, variant_table
    from ..terminal.lines import print_line, print_table

    screen = console()
    if summary.data:
        table = DataTable(summary)
        heads, rows, said = table.heads, table.rows, table.verdict()
    else:
        heads, rows = variant_table(summary, summary.variants.head(SHOWN))
        said = []
    print_table(screen, heads, rows[:SHOWN])
    more = (len(rows) if summary.data else summary.variants.height) - SHOWN
    for line in [*([f"and {more:,} more variants"] if more > 0 else []), *said, *notes(summary)]:
        print_line(screen, line)
    for path in written:
        print_line(screen, printable(path))
