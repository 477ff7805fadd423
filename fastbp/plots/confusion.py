"""The confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..terminal.numbers import percent
from .style import GREY, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["confusion_figure"]

MOST_COUNTED = 30  # classes; with more, numbers are not readable
TICKS = 40


@styled()
def confusion_figure(matrix: NDArray[np.int64], name: str = "") -> Figure:
    """Draw a confusion matrix: mistakes in colour on a log scale, the diagonal in grey.

    Parameters
    ----------
    matrix : (C, C) array of int64
        Confusion matrix; rows are the true classes.
    name
        Name of the data, for the title.
    """
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    classes = len(matrix)
    mistakes = matrix - np.diag(matrix.diagonal())
    most = max(int(mistakes.max()), 10)  # single mistakes stay pale
    size = min(max(5.0, 1.8 + 0.5 * classes), 11.0)
    figure = new_figure(size + 1.0, size)
    axes = figure.subplots()
    axes.grid(visible=False)
    colours = colormaps["Oranges"]
    norm = LogNorm(1, most)
    shown = np.ma.masked_equal(mistakes, 0)
    picture = axes.imshow(shown, cmap=colours, norm=norm)
    axes.imshow(
        np.ma.masked_equal(np.eye(classes), 0), cmap=colormaps["Greys"], vmin=0, vmax=6, interpolation="none"
    )
    if classes <= MOST_COUNTED:
        font = min(10.0, 9.0 * 15 / max(classes, 10) * 0.75 + 2)
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                dark = row != column and float(np.asarray(norm(count))) > 0.6
                weight = "bold" if row == column else "normal"
                axes.text(
                    column,
                    row,
                    str(count),
                    ha="center",
                    va="center",
                    color="white" if dark else "black",
                    fontsize=font,
                    fontweight=weight,
                )
    step = -(-classes // TICKS)
    axes.set_xticks(range(0, classes, step))
    axes.set_yticks(range(0, classes, step))
    axes.tick_params(length=0)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    wrong, samples = int(mistakes.sum()), int(matrix.sum())
    accuracy = percent(1 - wrong / max(samples, 1))
    title = f"{name}: accuracy {accuracy}, {wrong:,} of {samples:,} wrong"
    axes.set_title(title.removeprefix(": "))
    bar = figure.colorbar(picture, ax=axes, shrink=0.8, label="mistakes (log scale)")
    bar.outline.set_edgecolor(GREY)  # type: ignore[operator, unused-ignore]
    return figure
