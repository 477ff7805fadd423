"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..terminal.names import short_names
from ..terminal.numbers import percent
from .style import GREY, new_figure, plain, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

__all__ = ["confusion_figure", "confusion_panels"]

MOST_COUNTED = 30  # classes; with more, numbers are not readable
TICKS = 40
LONGEST = 20  # characters of the name of a class


@styled()
def confusion_figure(
    matrix: NDArray[np.int64], name: str = "", classes: Sequence[str] | None = None
) -> Figure:
    """Draw a confusion matrix: mistakes in colour on a log scale, the diagonal in grey.

    Parameters
    ----------
    matrix : (C, C) array of int64
        Confusion matrix; rows are the true classes.
    name
        Name of the data, for the title.
    classes
        Names of the C classes; numbers from 0 by default.
    """
    return confusion_panels([(name, matrix)], classes)


@styled()
def confusion_panels(
    named: Sequence[tuple[str, NDArray[np.int64]]], classes: Sequence[str] | None = None
) -> Figure:
    """Draw a panel for each confusion matrix, two in a row, on one scale of colours.

    Parameters
    ----------
    named
        Titles, and matrices as for `confusion_figure`; at least one.
    classes
        Names of the classes of all of them; numbers from 0 by default.
    """
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    most = max(int(_mistakes(matrix).max()) for _, matrix in named)
    norm = LogNorm(1, max(most, 10))  # single mistakes stay pale
    most_classes = max(len(matrix) for _, matrix in named)
    labels = short_names(classes or [str(number) for number in range(most_classes)], LONGEST)
    room = 0.07 * max(map(len, labels))
    size = min(max(5.0, 1.8 + room + 0.5 * most_classes), 11.0)
    columns = min(len(named), 2)
    rows = -(-len(named) // columns)
    figure = new_figure(size * columns + 1.0, size * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes in list(panels)[len(named) :]:
        axes.set_axis_off()
    for axes, (name, matrix) in zip(figure.axes, named, strict=False):
        picture = axes.imshow(np.ma.masked_equal(_mistakes(matrix), 0), cmap=colormaps["Oranges"], norm=norm)
        _finish_panel(axes, matrix, norm, [plain(label) for label in labels])
        wrong, samples = int(_mistakes(matrix).sum()), int(matrix.sum())
        accuracy = percent(1 - wrong / max(samples, 1))
        title = f"{name}: accuracy {accuracy}, {wrong:,} of {samples:,} wrong"
        axes.set_title(plain(title.removeprefix(": ")))
    bar = figure.colorbar(picture, ax=figure.axes, shrink=0.8, label="mistakes (log scale)")
    bar.outline.set_edgecolor(GREY)  # type: ignore[operator, unused-ignore]
    return figure


def _mistakes(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    return matrix - np.diag(matrix.diagonal())


def _finish_panel(axes: Axes, matrix: NDArray[np.int64], norm: LogNorm, labels: Sequence[str]) -> None:
    """Add the diagonal, the counts and the axes to a panel with the mistakes."""
    from matplotlib import colormaps

    classes = len(matrix)
    axes.grid(visible=False)
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
    places = range(0, classes, step)
    shown = [labels[place] for place in places]
    turned: dict[str, Any] = (
        {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, shown)) > 3 else {}
    )
    axes.set_xticks(places, shown, **turned)
    axes.set_yticks(places, shown)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
