"""Misclassified samples, the most confident mistakes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..data.parts import Images, Labels
from ..terminal.names import short_names
from ..terminal.numbers import percent
from .image_grid import image_grid
from .style import new_figure, plain, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["mistakes_figure"]

COLUMNS = 8
LONGEST = 10  # characters of the name of a class, above a small image


@styled()
def mistakes_figure(
    images: Images,
    shape: tuple[int, ...],
    labels: Labels,
    probabilities: NDArray[np.float64],
    count: int = 40,
    *,
    classes: Sequence[str] | None = None,
) -> Figure:
    """Draw misclassified samples with the true and the predicted class.

    Parameters
    ----------
    images : (N, D) array
        Test images.
    shape
        Shape of one image.
    labels : (N,) array of int64
        True classes.
    probabilities : (N, C) array
        Predicted probabilities.
    count
        Number of samples to show.
    classes
        Names of the C classes; numbers from 0 by default.
    """
    names = [
        plain(name)
        for name in short_names(classes or [str(n) for n in range(probabilities.shape[1])], LONGEST)
    ]
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    order = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    if not len(order):
        figure = new_figure(5, 1.5)
        figure.text(0.5, 0.5, f"no mistakes in {len(labels):,} samples", ha="center", va="center")
        return figure
    titles = [
        f"is {names[labels[i]]}: {_share(probabilities[i, labels[i]])}\n"
        f"said {names[predicted[i]]}: {_share(confidence[i])}"
        for i in order.tolist()
    ]
    chosen = images[order]
    low, high = (0, 255) if images.dtype == np.uint8 else (float(chosen.min()), float(chosen.max()))
    figure, _ = image_grid(
        chosen, shape, titles, min(COLUMNS, len(order)), cmap="gray_r", vmin=low, vmax=high
    )
    total = percent(len(wrong) / len(labels))
    figure.suptitle(
        f"{len(order)} of {len(wrong):,} mistakes, most confident first ({total} of {len(labels):,} samples)"
    )
    return figure


def _share(probability: float) -> str:
    """Write a probability; one that rounds to 0 or 100 % is marked < or >."""
    text = f"{100 * probability:.1f}%"
    if text == "100.0%" and probability < 1:
        return ">99.9%"
    return "<0.1%" if text == "0.0%" and probability > 0 else text
