"""``fastbp compare``: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from . import options
from .app import app
from .common import console, print_json, reporting

__all__ = ["compare"]


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    as_json: options.Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """Compare runs: the settings in which they differ, accuracy, loss, epochs, time."""
    with reporting():
        from ..runs.comparison import compare_runs
        from ..terminal.run_tables import print_runs

        if as_json and as_csv:
            raise ConfigError("--json and --csv both say what to print; expected one of them")
        table = compare_runs(runs)
        if as_json:
            print_json(table.to_dict())
        elif as_csv:
            typer.echo(table.to_csv(), nl=False)
        else:
            print_runs(console(), table)
