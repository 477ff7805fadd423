"""``fastbp show``: layers, cost and origin of a saved network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .application import app
from .common import console, print_json, reporting

__all__ = ["show"]


@app.command()
def show(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|WEIGHTS",
            help="A run folder, a safetensors file, or a folder of runs, which are listed.",
        ),
    ],
    as_json: options.Json = False,
) -> None:
    """Show a network: layers, parameters, FLOP, memory, settings and result."""
    with reporting():
        from ..runs.description import describe_network
        from ..runs.listing import holds_runs
        from ..terminal.run_tables import print_network

        if holds_runs(run):
            _list(run, as_json=as_json)
            return
        found = describe_network(run)
        if as_json:
            print_json(found.to_dict())
        else:
            print_network(console(), found)


def _list(folder: Path, *, as_json: bool) -> None:
    """List the runs in a folder, and say how to see more of one."""
    from ..data.source import printable
    from ..runs.listing import list_runs
    from ..terminal.run_tables import print_run_list

    found = list_runs(folder)
    if as_json:
        print_json(found.to_dict())
        return
    print_run_list(console(), found)
    first = next((run for run in found.runs if run.is_complete), found.runs[0])
    example, every = printable(first.folder), printable(folder)
    typer.echo(f"fastbp show {example} describes one run; fastbp compare {every} compares all")
