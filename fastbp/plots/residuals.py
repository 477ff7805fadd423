"""Predicted quantities over the true ones, and what is left between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ..evaluation.regression import RegressionEvaluation
from ..terminal.names import short_name
from ..terminal.numbers import figure as written
from .style import COLOURS, GREY, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["residuals_figure"]

MOST_TARGETS = 6
MOST_POINTS = 5000  # of a target; of more, every n-th is drawn
LONGEST = 40  # characters of a name


@styled()
def residuals_figure(found: RegressionEvaluation) -> Figure:
    """Draw a row for each target: predicted over true values, and the residuals.

    Residuals, true minus predicted, are drawn over the prediction. Without a pattern
    they are noise; a bow says that the network is too simple, a funnel that its errors
    grow with the quantity.

    Parameters
    ----------
    found
        Evaluation of a network that predicts quantities. Of more than 6 targets, the
        first 6 are drawn.

    Raises
    ------
    DataError
        The data have no targets.
    """
    if found.values is None or found.scores is None:
        raise DataError(f"{found.data}: has no targets; expected them for --kind residuals")
    shown = found.scores.targets[:MOST_TARGETS]
    figure = new_figure(8.4, 1 + 3.2 * len(shown))
    panels = figure.subplots(len(shown), 2, squeeze=False)
    figure.suptitle(found.data)
    step = -(-len(found.predicted) // MOST_POINTS)
    look: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4, "alpha": 0.5}
    for number, (scores, (left, right)) in enumerate(zip(shown, panels, strict=True)):
        true, guess = found.values[::step, number], found.predicted[::step, number]
        name = short_name(scores.name, LONGEST).replace("$", r"\$")
        low, high = np.min([true, guess]), np.max([true, guess])
        left.plot([low, high], [low, high], linestyle="--", color=GREY, linewidth=1.2)
        left.plot(true, guess, color=COLOURS[0], **look)
        left.set_xlabel(f"true {name}")
        left.set_ylabel(f"predicted {name}")
        left.set_title(f"R2 {scores.r2:.4f}")
        right.axhline(0, linestyle="--", color=GREY, linewidth=1.2)
        right.plot(guess, true - guess, color=COLOURS[1], **look)
        right.set_xlabel(f"predicted {name}")
        right.set_ylabel("residual: true - predicted")
        right.set_title(f"RMSE {written(scores.rmse)}, MAE {written(scores.mae)}")
    return figure
