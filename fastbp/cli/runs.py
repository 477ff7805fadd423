"""``fastbp runs``: the runs in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .application import app
from .common import check_one_format, console, print_json, reporting

__all__ = ["runs"]

Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Folder with run folders.", show_default="runs")
]
Sort = Annotated[
    str,
    typer.Option(
        "--sort",
        metavar="COLUMN",
        help="Order of the runs: date (newest first), name, accuracy, loss or time. Accuracy and loss are "
        "those of validation; runs without it follow, by the test part.",
    ),
]


@app.command()
def runs(
    folder: Folder = Path("runs"),
    sort: Sort = "date",
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """List the runs in a folder: results, training time, settings that differ."""
    with reporting():
        from ..runs.listing import list_runs
        from ..terminal.run_tables import print_run_list

        check_one_format(as_json=as_json, as_csv=as_csv)
        found = list_runs(folder, sort)
        if as_json:
            print_json(found.to_dict())
        elif as_csv:
            typer.echo(found.to_csv(), nl=False)
        else:
            print_run_list(console(), found)
