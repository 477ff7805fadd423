"""``fastbp plot``: pictures of runs."""

from __future__ import annotations

import typer

from . import options
from .app import app
from .common import reporting

__all__ = ["draw_runs"]


@app.command("plot")
def draw_runs(
    runs: options.PlotRuns,
    kind: options.PlotKind = "history",
    out: options.PlotOut = None,
    data: options.PlotData = None,
    dpi: options.PlotDpi = 150,
    show: options.PlotShow = False,
) -> None:
    """Draw runs: their history side by side, or a run's confusions, weights, mistakes, signals, or page."""
    with reporting():
        from ..data.source import printable
        from ..plots import plot

        written = plot(runs, kind, out, data=data, dpi=dpi, show=show)
        if written is not None:
            typer.echo(printable(written))
