"""Signals by layer: activations of the forward pass, gradients of the backward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..data.parts import Images, Labels
from ..errors import ConfigError
from ..network import Network
from ..reference.activations import ACTIVATIONS
from ..reference.general_step import backward, forward
from ..reference.step import gather, softmax_cross_entropy
from .style import COLOURS, GREY, new_figure, plain, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SignalSize", "measure_signals", "signals_figure"]

SAMPLES = 500
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Quantiles below this fraction of the smallest rms are cut off: they squeeze the rest.
FLOOR = 1e-5


@dataclass(frozen=True)
class SignalSize:
    """Size of the values of a layer. Zeros, such as of an inactive ReLU, count
    separately.

    Attributes
    ----------
    name
        Name of the layer.
    rms
        Root mean square of all values.
    zeros
        Fraction of values that are 0.
    quantiles
        `QUANTILES` of the absolute values that are not 0; None if all are 0.
    """

    name: str
    rms: float
    zeros: float
    quantiles: tuple[float, ...] | None


def measure_signals(
    network: Network, images: Images, labels: Labels
) -> tuple[list[SignalSize], list[SignalSize]]:
    """Measure activations and gradients on the NumPy reference path, in float64.

    Parameters
    ----------
    network
        Network to measure.
    images, labels : (N, D) and (N,) arrays
        Data; at most `SAMPLES` samples, evenly spaced, are used.

    Returns
    -------
    activations : list of SignalSize
        Inputs, each hidden layer, and logits.
    gradients : list of SignalSize
        Gradients of the mean loss over the samples with respect to the weights of each
        layer.
    """
    network = network.astype("float64")
    count = min(SAMPLES, len(images))
    rows = np.linspace(0, len(images) - 1, count).astype(np.int64)
    x = gather(images, rows, network.input_scale, network.dtype)
    activation = ACTIVATIONS[network.activation]
    activations, slopes, logits = forward(network.weights, network.biases, x, activation)
    _, d_logits = softmax_cross_entropy(logits, labels[rows])
    d_weights, _ = backward(network.weights, activations, slopes, d_logits)
    hidden = [f"hidden {layer}" for layer in range(1, len(activations))]
    passing = [
        _size_of(name, values)
        for name, values in zip(["inputs", *hidden, "logits"], [*activations, logits], strict=True)
    ]
    back = [_size_of(name, values) for name, values in zip([*hidden, "logits"], d_weights, strict=True)]
    return passing, back


def _size_of(name: str, values: NDArray[np.floating]) -> SignalSize:
    sizes = np.abs(values).reshape(-1)
    present = sizes[sizes > 0]
    quantiles = tuple(np.quantile(present, QUANTILES).tolist()) if present.size else None
    largest = float(sizes.max())
    # Scaled first: squares do not underflow or overflow.
    rms = largest * float(np.sqrt(np.mean(np.square(sizes / largest)))) if largest else 0.0
    return SignalSize(name, rms, 1 - present.size / sizes.size, quantiles)


@styled()
def signals_figure(named_networks: Mapping[str, Network], images: Images, labels: Labels) -> Figure:
    """Draw the size of activations and gradients of each layer of several networks.

    Each network has a row of panels, with shared logarithmic axes. A thin line spans
    the 5th to the 95th percentile, a thick line the 25th to the 75th. The white mark is
    the median, the diamonds are root mean squares.

    Parameters
    ----------
    named_networks
        Networks by their names in the figure.
    images, labels
        Data, as for `measure_signals`.

    Raises
    ------
    ConfigError
        There are no networks.
    """
    if not named_networks:
        raise ConfigError("no networks are given; expected at least one to draw")
    measured = {name: measure_signals(network, images, labels) for name, network in named_networks.items()}
    layers = [len(activations) for activations, _ in measured.values()]
    heights = [0.45 + 0.3 * count for count in layers]
    figure = new_figure(10, sum(heights) + 1.1)
    grid = figure.subplots(len(measured), 2, sharex="col", squeeze=False, height_ratios=heights)
    for number, (name, sides) in enumerate(measured.items()):
        for axes, layer_sizes in zip(grid[number], sides, strict=True):
            _draw(axes, layer_sizes, COLOURS[number % len(COLOURS)])
        grid[number, 0].set_title(plain(name), loc="left", fontweight="bold", fontsize=10)
    for column, title in enumerate(
        ("activations: absolute value", "gradients with respect to the weights: absolute value")
    ):
        _limit(grid[0, column], [spread for sides in measured.values() for spread in sides[column]])
        grid[-1, column].set_xlabel(title)
    figure.suptitle(
        "thick: 25th to 75th percentile, thin: 5th to 95th (without zeros), white: median, diamond: rms",
        fontsize=9,
        color=GREY,
    )
    return figure


def _draw(axes: Axes, layer_sizes: list[SignalSize], colour: str) -> None:
    axes.set_xscale("log")
    for row, spread in enumerate(layer_sizes):
        if spread.quantiles is not None:
            low, lower, middle, upper, high = spread.quantiles
            axes.plot([low, high], [row, row], color=colour, linewidth=1.2)
            axes.plot(
                [lower, upper], [row, row], color=colour, linewidth=7, solid_capstyle="butt", alpha=0.75
            )
            axes.plot([middle], [row], marker="|", color="white", markersize=7, markeredgewidth=1.5)
        note = f"rms {spread.rms:.2g}" if spread.rms else "all 0"
        if 0.0005 <= spread.zeros < 1:
            note += f"\n{100 * spread.zeros:.0f}% are 0" if spread.zeros >= 0.005 else "\n<1% are 0"
        # Outside the frame, where no bar overlaps it.
        axes.annotate(
            note,
            (1, row),
            (4, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            fontsize=7,
            annotation_clip=False,
        )
    axes.plot(
        [spread.rms or np.nan for spread in layer_sizes],
        range(len(layer_sizes)),
        color="black",
        linewidth=0.8,
        linestyle=":",
        marker="D",
        markersize=4,
    )
    axes.set_yticks(range(len(layer_sizes)), [spread.name for spread in layer_sizes])
    axes.set_ylim(len(layer_sizes) - 0.5, -0.5)


def _limit(axes: Axes, layer_sizes: list[SignalSize]) -> None:
    """Set the limits of the shared axis to all layers, without the smallest values."""
    present = [spread for spread in layer_sizes if spread.quantiles is not None and spread.rms > 0]
    if not present:
        axes.set_xlim(0.1, 10)
        return
    floor = FLOOR * min(spread.rms for spread in present)
    low = min(max(spread.quantiles[0], floor) for spread in present if spread.quantiles)
    high = max(max(spread.quantiles[-1], spread.rms) for spread in present if spread.quantiles)
    axes.set_xlim(low / 2, high * 2)
