"""The weights of the first layer, as images."""

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
    """Draw the weights of units of the first layer, in decreasing norm.

    Red weights are positive, blue weights negative, white is 0. All images share a
    scale that ends at the 99.8th percentile: single outliers do not turn the rest pale.

    Parameters
    ----------
    network
        A trained network.
    shape
        Shape of one image.
    count
        Number of units to show.

    Raises
    ------
    WeightsError
        The network takes images of another shape.
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
