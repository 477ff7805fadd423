"""One look for all figures: colours that the colour-blind tell apart, marks that survive grey print."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import FastbpError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "FORMATS", "GREY", "MARKERS", "new_figure", "render", "styled"]

# Okabe & Ito, "Color universal design" (2008), without yellow, which print loses.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")  # one more than colours: pairs repeat after 56
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
    "font.family": "DejaVu Sans",  # comes with matplotlib: figures do not depend on the machine's fonts
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "pdf.fonttype": 42,
    "savefig.bbox": None,  # sizes are as asked for
    "svg.hashsalt": "fastbp",  # otherwise every file differs
    "text.usetex": False,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
# What would make two files of one figure differ.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {},
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
}


@contextmanager
def styled() -> Iterator[None]:
    """Apply the look for a while, over matplotlib's defaults and not a person's own; decorates functions too.

    Raises
    ------
    FastbpError : there is no matplotlib
    """
    try:
        from matplotlib import rc_context, rcParamsDefault
    except ImportError as error:
        raise FastbpError("plots need matplotlib: pip install 'fastbp[plot]'") from error
    # The backend stays: setting it would import pyplot, or close what a person has open.
    defaults = {key: value for key, value in rcParamsDefault.items() if not key.startswith("backend")}
    with rc_context({**defaults, **STYLE}):  # type: ignore[dict-item, unused-ignore]
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, whose parts make room for each other."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


@styled()
def render(figure: Figure, kind: str, dpi: float = 150) -> bytes:
    """Return the figure as a file of a kind in `FORMATS`; the same figure gives the same bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=dpi, **FORMATS[kind])
    return stream.getvalue()
