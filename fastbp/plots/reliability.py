"""The reliability diagram: accuracy by confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.metrics import Calibration
from ..terminal.numbers import percent
from .style import COLOURS, GREY, new_figure, plain, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["reliability_figure"]


@styled()
def reliability_figure(calibration: Calibration, name: str = "") -> Figure:
    """Draw accuracy by bins of confidence, and the number of samples in each bin.

    Parameters
    ----------
    calibration
        Result of `fastbp.evaluation.metrics.calibration`.
    name
        Name of the data, for the title.
    """
    from matplotlib.ticker import PercentFormatter

    figure = new_figure(5.6, 6.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    edges = np.asarray(calibration.edges)
    counts = np.asarray(calibration.counts)
    filled = counts > 0
    left, width = edges[:-1][filled], np.diff(edges)[filled]
    look = {"align": "edge", "edgecolor": "white", "linewidth": 0.8}
    accuracy = np.asarray(calibration.accuracy)[filled]
    above.bar(left, accuracy, width, color=COLOURS[0], label="accuracy in the bin", **look)
    above.plot([0, 1], [0, 1], linestyle="--", color=GREY, linewidth=1.2, label="perfect calibration")
    above.plot(
        np.asarray(calibration.confidence)[filled],
        accuracy,
        linestyle="none",
        marker="D",
        color=COLOURS[1],
        markeredgecolor="white",
        label="at the bin's mean confidence",
    )
    above.set_xlim(0, 1)
    above.set_ylim(0, 1.02)
    above.set_ylabel("accuracy")
    above.legend(loc="upper left")
    for axis in (above.xaxis, above.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    title = f"expected calibration error {percent(calibration.ece)}"
    above.set_title(plain(f"{name}: {title}".removeprefix(": ")))
    below.bar(left, counts[filled], width, color=GREY, **look)
    below.set_yscale("log")
    below.set_ylim(0.7, max(int(counts.max()), 1) * 4)
    for x, w, count in zip(left.tolist(), width.tolist(), counts[filled].tolist(), strict=True):
        below.annotate(
            f"{count:,}", (x + w / 2, count), (0, 2), textcoords="offset points", ha="center", fontsize=7
        )
    below.set_ylabel("samples (log)")
    below.set_xlabel("confidence: probability of the predicted class")
    return figure
