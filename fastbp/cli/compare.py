"""``fastbp compare``: settings and results of several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .application import app
from .common import check_one_format, console, print_json, reporting

__all__ = ["compare"]


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders.")],
    as_json: options.Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """Compare runs: settings that differ, accuracy, loss, epochs and training time."""
    with reporting():
        from ..runs.comparison import compare_runs
        from ..terminal.run_tables import print_runs

        check_one_format(as_json=as_json, as_csv=as_csv)
        table = compare_runs(runs)
        if as_json:
            print_json(table.to_dict())
        elif as_csv:
            typer.echo(table.to_csv(), nl=False)
        else:
            print_runs(console(), table)
