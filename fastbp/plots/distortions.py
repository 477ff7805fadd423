"""Data augmentation: images and their distortions, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..data.parts import Images, Labels
from ..recipe.distortions import Distortion
from ..reference.distortions import displacement, distort, sample_state
from .style import COLOURS, GREY, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure, FigureBase, SubFigure

__all__ = ["distortions_figure"]

EPOCHS = 10
MOST_CLASSES = 10


@styled()
def distortions_figure(
    images: Images, labels: Labels, distortion: Distortion, title: str, seed: int = 0
) -> Figure:
    """Draw the first image of each class and its distortions in ten epochs.

    Elastic distortions are shown as displacement fields below.

    Parameters
    ----------
    images : (N, D) array of uint8
        Training images.
    labels : (N,) array of int64
        Their classes.
    distortion
        Distortion for images of this shape.
    title
        Title of the figure.
    seed
        Random seed of a run: the figure shows its first epochs.
    """
    shape = distortion.shape
    rows = np.array([np.flatnonzero(labels == label)[0] for label in np.unique(labels)[:MOST_CLASSES]])
    fields = [number for number, row in enumerate(distortion.plan) if row[7]]
    figure = new_figure(8.4, 0.75 * len(rows) + 0.9 + (2.2 if fields else 0))
    upper: FigureBase = figure
    if fields:
        halves = figure.add_gridspec(2, 1, height_ratios=[0.75 * len(rows), 2.2])
        upper = figure.add_subfigure(halves[0])
        _draw_fields(figure.add_subfigure(halves[1]), distortion, fields[0], seed)
    grid = upper.subplots(len(rows), EPOCHS + 1, squeeze=False)
    pixels = np.asarray(images, dtype=np.uint8)
    columns = [pixels[rows]]
    for epoch in range(EPOCHS):
        at = distortion.at(seed, epoch)
        columns.append(distort(pixels, labels, rows, at.plan, at.taps, at.key, shape))
    for number, column in enumerate(columns):
        for row, image in enumerate(column):
            axes = grid[row, number]
            axes.imshow(image.reshape(shape), cmap="gray_r", vmin=0, vmax=255)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(visible=False)
            for spine in axes.spines.values():
                spine.set_visible(True)
                spine.set_linewidth(1.5 if number == 0 else 0.5)
        grid[0, number].set_title("original" if number == 0 else f"epoch {number}", fontsize=8)
    figure.suptitle(title)
    return figure


def _draw_fields(part: SubFigure, distortion: Distortion, variant: int, seed: int) -> None:
    """Draw the displacements of three samples, as arrows on every other pixel."""
    height, width = distortion.shape
    key = distortion.at(seed, 0).key
    places = np.s_[::2, ::2]
    for sample, axes in enumerate(part.subplots(1, 3)):
        state = sample_state(key, sample)
        down, right = displacement(
            distortion.plan[variant], distortion.taps[variant], state, distortion.shape
        )
        y, x = np.indices((height, width))
        # A pixel takes the value at the end of its arrow.
        arrows = {"angles": "xy", "scale_units": "xy", "scale": 1.0, "width": 0.006, "color": COLOURS[0]}
        axes.quiver(x[places], y[places], right[places], down[places], **arrows)
        axes.set_xlim(-1, width)
        axes.set_ylim(height, -1)
        axes.set_aspect("equal")
        axes.set_title(
            f"elastic field, up to {np.hypot(down, right).max():.1f} pixels", fontsize=8, color=GREY
        )
