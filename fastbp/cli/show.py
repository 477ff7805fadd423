"""``fastbp show``: what a network is, and where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .app import app
from .common import console, print_json, reporting

__all__ = ["show"]


@app.command()
def show(
    run: Annotated[Path, typer.Argument(metavar="RUN|WEIGHTS", help="A run folder, or a safetensors file.")],
    as_json: options.Json = False,
) -> None:
    """Show a network: layers, parameters, operations, memory, how it was trained."""
    with reporting():
        from ..runs.description import describe_network
        from ..terminal.run_tables import print_description

        found = describe_network(run)
        if as_json:
            print_json(found.to_dict())
        else:
            print_description(console(), found)
