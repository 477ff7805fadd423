"""``fastbp plot``: figures of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .application import app
from .common import reporting

__all__ = ["plot_runs"]

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN", help="Run folders; history, confusion and signals take several."),
]
Kind = Annotated[
    str,
    typer.Option(
        "--kind",
        metavar="KIND",
        help="Figure to draw: history, confusion, weights, mistakes, reliability, signals or residuals; or "
        "page, an HTML page with all of them.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="File to write: .png, .svg or .pdf; .html for a page.",
        show_default="RUN/KIND.png, or KIND.png for several runs",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME|PATH",
        help="Data to test on, as for fastbp test.",
        show_default="the data of the run, or mnist",
    ),
]
Dpi = Annotated[
    int, typer.Option("--dpi", metavar="N", help="Resolution of a PNG, in dots per inch.", min=20, max=1200)
]
Show = Annotated[
    bool, typer.Option("--show", help="Open a window instead of writing a file; with --out, do both.")
]


@app.command("plot")
def plot_runs(
    runs: Runs,
    kind: Kind = "history",
    out: Out = None,
    data: Data = None,
    dpi: Dpi = 150,
    show: Show = False,
) -> None:
    """Plot runs: training history, confusion matrix, weights, mistakes and more."""
    with reporting():
        from ..data.source import printable
        from ..plots import plot

        written = plot(runs, kind, out, data=data, dpi=dpi, show=show)
        if written is not None:
            typer.echo(printable(written))
