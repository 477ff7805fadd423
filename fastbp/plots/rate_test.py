"""The loss of a learning-rate range test, and the rate that it suggests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..training.rate_test import RateTest
from .style import COLOURS, GREY, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["rate_test_figure"]


@styled()
def rate_test_figure(test: RateTest, title: str) -> Figure:
    """Return a figure: the smoothed loss over the learning rate (logarithmic axis)."""
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    axes.semilogx(test.rates, test.losses, color=COLOURS[0])
    axes.axvline(test.suggestion, color=COLOURS[1], linestyle="--", label=f"suggestion: {test.suggestion:g}")
    for name, rate, marker in (("steepest fall", test.steepest, "v"), ("lowest loss", test.lowest, "o")):
        loss = test.losses[int((test.rates >= rate).argmax())]
        axes.plot([rate], [loss], marker, color=GREY, label=f"{name}: {rate:.2g}")
    start = float(test.losses[0])
    axes.set_ylim(0, 1.6 * start)  # where the loss diverges, its height says nothing
    axes.set(xlabel="learning rate, rising with each update", ylabel="training loss", title=title)
    axes.legend(loc="upper left")
    return figure
