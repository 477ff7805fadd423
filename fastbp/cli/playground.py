"""``fastbp playground``: an HTML page on which a network trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .application import app
from .common import reporting

__all__ = ["write_playground"]

Run = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RUN]",
        help="Run folder or safetensors file whose weights training starts from.",
        show_default="new weights",
    ),
]
Page = Annotated[Path, typer.Option("--out", metavar="FILE.html", help="File to write.")]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME|PATH",
        help="Images to train on, as for fastbp train; 10,000 of them are in the page.",
        show_default="the data of the run, or mnist",
    ),
]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Write the file without opening it.")]


@app.command("playground")
def write_playground(
    run: Run = None,
    out: Page = Path("playground.html"),
    data: Data = None,
    no_open: NoOpen = False,
) -> None:
    """Write and open a page on which a network trains while you watch.

    The page is one HTML file that contains the images and works offline.
    """
    with reporting():
        import webbrowser

        from ..data.source import printable
        from ..files import replace_file
        from ..pages.playground import (
            may_have_seen,
            playground_digits,
            playground_page,
            read_start,
            trained_settings,
        )
        from ..recipe.settings import Settings

        start = None if run is None else read_start(run)
        settings = None if run is None else trained_settings(run)
        source = data or (Settings() if settings is None else settings).data
        is_seen = run is not None and may_have_seen(run, source)
        digits = playground_digits(source, settings if is_seen else None)
        replace_file(out, playground_page(digits, start, settings))
        typer.echo(printable(out))
        if not (no_open or webbrowser.open(out.resolve().as_uri())):
            typer.echo("fastbp: found no browser; open the file in one yourself", err=True)
