"""A grid of small images: samples, or weights in the shape of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["image_grid"]


def image_grid(
    rows: NDArray[Any], shape: tuple[int, ...], titles: Sequence[str], columns: int, **look: Any
) -> tuple[Figure, list[AxesImage]]:
    """Draw each row of an array as an image with a title.

    Parameters
    ----------
    rows : (N, D) array
        Values of the images; N >= 1.
    shape
        Shape of the data: (height, width), or (height, width, channels); others are
        drawn as a strip.
    titles
        N titles.
    columns
        Number of images in a row.
    look
        Keyword arguments of ``imshow``.
    """
    lines = max(title.count("\n") + 1 for title in titles)
    count = -(-len(rows) // columns)
    flat = len(shape) not in (2, 3)
    height = (0.55 if flat else 1.0) + 0.2 * lines
    figure = new_figure(max(1.05 * columns, 5.0), max(height * count + 0.7, 2.0))
    images = []
    for place, axes in enumerate(figure.subplots(count, columns, squeeze=False).flat):
        axes.set_axis_off()
        if place < len(rows):
            images.append(
                axes.imshow(_as_picture(rows[place], shape), aspect="auto" if flat else None, **look)
            )
            axes.set_title(titles[place], fontsize=8, pad=3)
    return figure, images


def _as_picture(row: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if len(shape) == 2:
        return row.reshape(shape)
    if len(shape) == 3:
        # The mean over channels: colour shows the value.
        return np.asarray(row.reshape(shape).mean(axis=2))
    return np.atleast_2d(row)
