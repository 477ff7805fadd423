"""How signals pass the layers: activations on their way up, gradients on their way back."""

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
from .style import COLOURS, GREY, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SignalSize", "measure_signals", "signals_figure"]

SAMPLES = 500
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FLOOR = 1e-5  # of the smallest root mean square: quantiles below are cut off, they only squeeze the rest


@dataclass(frozen=True)
class SignalSize:
    """Sizes of a layer's values. Those that are 0 exactly (a ReLU that is off) are counted apart."""

    name: str
    rms: float  # root mean square of all values
    zeros: float  # part of the values, 0..1
    quantiles: tuple[float, ...] | None  # of the absolute values that are not 0; None if all are


def measure_signals(
    network: Network, images: Images, labels: Labels
) -> tuple[list[SignalSize], list[SignalSize]]:
    """Pass samples through the textbook path, in float64.

    Parameters
    ----------
    images, labels : (N, D) and (N,), of which at most `SAMPLES`, evenly spaced, are taken

    Returns
    -------
    activations : of the inputs, each hidden layer, and the logits
    gradients : of the mean loss by each layer's weights, as one step on all the samples would use them
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
    # Taken out first, so that squares do not underflow or overflow.
    rms = largest * float(np.sqrt(np.mean(np.square(sizes / largest)))) if largest else 0.0
    return SignalSize(name, rms, 1 - present.size / sizes.size, quantiles)


@styled()
def signals_figure(named_networks: Mapping[str, Network], images: Images, labels: Labels) -> Figure:
    """Draw how large activations and gradients are, layer by layer, of one or more networks.

    A row of panels for each network, on shared logarithmic axes. A thin line goes from the 5th to the 95th
    percentile, a thick one from the 25th to the 75th; the white mark is the median, the diamonds are the root
    mean squares, joined from layer to layer.

    Parameters
    ----------
    named_networks : by what they are called in the figure
    images, labels : (N, D) and (N,), as for `measure_signals`

    Raises
    ------
    ConfigError : there is no network
    """
    if not named_networks:
        raise ConfigError("no network is given; expected one or more to draw the signals of")
    measured = {name: measure_signals(network, images, labels) for name, network in named_networks.items()}
    layers = [len(activations) for activations, _ in measured.values()]
    heights = [0.45 + 0.3 * count for count in layers]
    figure = new_figure(10, sum(heights) + 1.1)
    grid = figure.subplots(len(measured), 2, sharex="col", squeeze=False, height_ratios=heights)
    for number, (name, sides) in enumerate(measured.items()):
        for axes, layer_sizes in zip(grid[number], sides, strict=True):
            _draw(axes, layer_sizes, COLOURS[number % len(COLOURS)])
        grid[number, 0].set_title(name, loc="left", fontweight="bold", fontsize=10)
    for column, title in enumerate(
        ("activations: absolute value", "gradients of the mean loss by the layer's weights: absolute value")
    ):
        _limit(grid[0, column], [spread for sides in measured.values() for spread in sides[column]])
        grid[-1, column].set_xlabel(title)
    figure.suptitle(
        "thick: middle half, thin: 5th to 95th percentile (zeros apart), white: median, diamond: rms",
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
        # Outside of the frame, where no bar can run into it.
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
    """Let the shared axis hold every layer, but not the faintest tails."""
    present = [spread for spread in layer_sizes if spread.quantiles is not None and spread.rms > 0]
    if not present:
        axes.set_xlim(0.1, 10)
        return
    floor = FLOOR * min(spread.rms for spread in present)
    low = min(max(spread.quantiles[0], floor) for spread in present if spread.quantiles)
    high = max(max(spread.quantiles[-1], spread.rms) for spread in present if spread.quantiles)
    axes.set_xlim(low / 2, high * 2)
