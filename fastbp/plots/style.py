"""The style of all figures, for colour-blind readers and grey print."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "FORMATS", "GREY", "MARKERS", "new_figure", "plain", "render", "styled"]

# Okabe & Ito, "Color universal design" (2008), without yellow, too pale in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# One more than there are colours: pairs of both repeat only after 56 lines.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GREY = "#555555"
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.facecolor": "white",
    "figure.titlesize": 12,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "pdf.fonttype": 42,
    "savefig.bbox": None,  # keep the size
    "svg.hashsalt": "fastbp",  # otherwise every file differs
    "text.usetex": False,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
# Formats and their options, without dates: the same figure gives the same bytes.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {},
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
}


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style over matplotlib's defaults, as context manager or decorator."""
    from matplotlib import rc_context, rcParamsDefault

    # The backend stays: setting it would import pyplot, or close open figures.
    defaults = {key: value for key, value in rcParamsDefault.items() if not key.startswith("backend")}
    with rc_context({**defaults, **STYLE}):  # type: ignore[dict-item, unused-ignore]
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, with constrained layout."""
    from .figure import NotebookFigure

    return NotebookFigure(figsize=(width, height), layout="constrained")


def plain(text: str) -> str:
    """Return text that matplotlib draws as it is: dollars do not begin a formula."""
    return text.replace("$", r"\$")


@styled()
def render(figure: Figure, kind: str, dpi: float = 150) -> bytes:
    """Return a file in one of `FORMATS`; equal figures give equal bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=dpi, **FORMATS[kind])
    return stream.getvalue()
