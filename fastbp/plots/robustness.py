"""Accuracy by level of each distortion, for several networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from ..robustness import CURVES, Robustness
from .style import COLOURS, MARKERS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["robustness_figure"]

COLUMNS = 4
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":")
SINGLES = {
    "clean": "clean",
    "inverted": "inverted",
    "hand": "hand,\nnormalised",
    "hand_shrunk": "hand,\nscaled down",
}


@styled()
def robustness_figure(measured: Mapping[str, Sequence[Robustness]]) -> Figure:
    """Draw a panel for each distortion, and one for those without levels.

    Parameters
    ----------
    measured
        Measurements by name. Several measurements of a name share a line for the mean
        and a band from minimum to maximum.

    Raises
    ------
    ConfigError
        There are no measurements.
    """
    if not measured or not all(measured.values()):
        raise ConfigError("no network was measured; expected at least one to draw")
    rows = -(-(len(CURVES) + 1) // COLUMNS)
    figure = new_figure(12, 2.9 * rows + 0.3 + 0.2 * len(measured))
    panels = figure.subplots(rows, COLUMNS, sharey=True).flat
    for axes, curve in zip(panels, CURVES, strict=False):
        for number, runs in enumerate(measured.values()):
            values = 100 * np.array([run.curves[curve.name] for run in runs])
            look = _look(number)
            axes.plot(curve.levels, values.mean(axis=0), **look)
            if len(runs) > 1:
                axes.fill_between(
                    curve.levels,
                    values.min(axis=0),
                    values.max(axis=0),
                    color=look["color"],
                    alpha=0.18,
                    linewidth=0,
                )
        axes.set_xlabel(curve.label, fontsize=9)
    _singles(panels[len(CURVES)], measured)
    for place, axes in enumerate(panels):
        if place % COLUMNS == 0:
            axes.set_ylabel("accuracy, %")
        axes.set_ylim(0, 102)
    handles = panels[0].get_lines()
    figure.legend(handles, list(measured), loc="outside lower center", ncols=min(len(measured), 3))
    return figure


def _look(number: int) -> dict[str, Any]:
    """Return colour, dashes and marker; lines also differ when printed in grey."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[number % len(DASHES)],
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 4,
        "linewidth": 1.4,
    }


def _singles(axes: Axes, measured: Mapping[str, Sequence[Robustness]]) -> None:
    """Draw distortions without levels as points, with their range."""
    first = next(iter(measured.values()))[0].figures()
    names = [name for name in SINGLES if name in first]
    spread = 0.6 / max(len(measured), 1)
    for number, runs in enumerate(measured.values()):
        places = np.arange(len(names)) + (number - (len(measured) - 1) / 2) * spread
        values = 100 * np.array([[run.figures()[name] for name in names] for run in runs])
        look = {**_look(number), "linestyle": ""}
        axes.plot(places, values.mean(axis=0), **look)
        axes.vlines(places, values.min(axis=0), values.max(axis=0), color=look["color"], linewidth=1)
    axes.set_xticks(range(len(names)), [SINGLES[name] for name in names], fontsize=7.5)
    axes.grid(visible=False, axis="x")
