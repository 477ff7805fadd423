"""The page to draw on: networks that classify the same drawing side by side."""

from __future__ import annotations

from collections.abc import Sequence

from ..document import Page
from ..weights import Packed

__all__ = ["drawing_page"]

PAGE = Page(
    folder="drawing",
    title="Draw a digit",
    styles=("base.css", "board.css"),
    scripts=(
        "special.js",
        "functions.js",
        "encoding.js",
        "network.js",
        "normalize.js",
        "board.js",
        "page.js",
    ),
)


def drawing_page(networks: Sequence[Packed]) -> str:
    """Return the page: one HTML file with the networks, which loads nothing else.

    Parameters
    ----------
    networks
        Networks from `fastbp.pages.pack`, in the order in which they are shown.

    Raises
    ------
    ConfigError
        An activation has no JavaScript expression in its entry.
    """
    return PAGE.html([network.to_dict() for network in networks])
