"""What the units of the first layer look for, as pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..errors import WeightsError
from ..network import Network
from .image_grid import image_grid
from .style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["weights_figure"]

COLUMNS = 8


@styled()
def weights_figure(network: Network, shape: tuple[int, ...], count: int = 40) -> Figure:
    """Draw the weights of the first layer's units, those with the largest norm first.

    Red weights ask for a bright pixel, blue ones for a dark one; white is 0. All pictures share one scale,
    which ends at 99.8 % of the weights, so that one outlier does not turn the rest pale.

    Parameters
    ----------
    network : as trained
    shape : of one image
    count : units to show

    Raises
    ------
    WeightsError : images of this shape do not fit the network
    """
    if math.prod(shape) != network.inputs:
        raise WeightsError(
            f"images are {'x'.join(map(str, shape))}, but the network takes {network.inputs} pixels; "
            "expected the data that it was trained on"
        )
    weights = network.weights[0].T.astype(np.float64)
    norms = np.linalg.norm(weights, axis=1)
    units = np.argsort(-norms, kind="stable")[:count]
    limit = float(np.quantile(np.abs(weights[units]), 0.998)) or 1.0
    kind = "unit" if len(network.weights) > 1 else "class"
    titles = [f"{kind} {unit}" for unit in units.tolist()]
    columns = min(COLUMNS, len(units))
    figure, images = image_grid(
        weights[units], shape, titles, columns, cmap="RdBu_r", vmin=-limit, vmax=limit
    )
    figure.colorbar(
        images[0],
        ax=figure.axes,
        orientation="horizontal",
        shrink=0.6,
        aspect=40,
        extend="both",
        label="weight",
    )
    figure.suptitle(
        f"first layer: {len(units)} of {len(weights)} {kind}{'es' if kind == 'class' else 's'}, by norm"
    )
    return figure
