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
    run: Annotated[Path, typer.Argument(metavar="RUN|WEIGHTS", help="A run folder, or a safetensors file.")],
    as_json: options.Json = False,
) -> None:
    """Show a network: layers, parameters, FLOP, memory, settings and result."""
    with reporting():
        from ..runs.description import describe_network
        from ..terminal.run_tables import print_network

        found = describe_network(run)
        if as_json:
            print_json(found.to_dict())
        else:
            print_network(console(), found)
