"""``fastbp draw``: an HTML page that classifies drawn digits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .application import app
from .common import reporting, show_page

__all__ = ["draw_digits"]

Page = Annotated[Path, typer.Option("--out", metavar="FILE.html", help="File to write.")]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Write the file without opening it.")]


@app.command("draw")
def draw_digits(
    weights: options.Weights,
    out: Page = Path("page.html"),
    no_open: NoOpen = False,
) -> None:
    """Write and open a page that classifies the digits you draw.

    The page is one HTML file that contains the networks and works offline.
    """
    with reporting():
        from ..files import replace_file
        from ..pages import drawing_page, pack, read_shown

        replace_file(out, drawing_page(pack([read_shown(path) for path in weights])))
        show_page(out, no_open=no_open)
