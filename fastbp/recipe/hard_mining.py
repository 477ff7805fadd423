"""Hard example mining: epochs that visit the samples that were hardest, and some of the
others.

Loshchilov & Hutter, "Online batch selection for faster training of neural networks",
ICLR workshop 2016, rank samples by the loss that they had when they were last visited.
Shrivastava, Gupta & Girshick, "Training region-based object detectors with online hard
example mining", CVPR 2016, take the hardest alone. Here most are the hardest, which
costs no pass over the data of its own, and some are others, so that none is forgotten.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..network import FloatArray

__all__ = ["HardMining", "visits"]

HARDEST = 2 / 3
"""Of the samples that an epoch visits; between a half and two thirds made no difference
on MNIST, see docs/records.
"""


def visits(fraction: float, samples: int) -> int:
    """Return how many samples an epoch visits; ``fraction`` is 0 for all."""
    return max(1, round(fraction * samples)) if fraction else samples


class HardMining:
    """The losses that samples had when they were last visited.

    Parameters
    ----------
    fraction : of the training samples, that an epoch visits, 0 < fraction < 1
    samples : N, all rows of the data
    dtype : of the network

    Attributes
    ----------
    losses : (N,), of the network's type: of each row when it was last visited, with its
        weight; infinite before, so that epochs visit all samples first
    """

    def __init__(self, fraction: float, samples: int, dtype: np.dtype[np.floating]) -> None:
        self._fraction = fraction
        self.losses: FloatArray = np.full(samples, np.inf, dtype)

    def choose(self, rows: NDArray[np.int64], losses: FloatArray) -> NDArray[np.int64]:
        """Return the rows that an epoch visits, in the order in which they are given.

        The other rows are taken at equal distances, and so are rows of equal losses,
        such as those never visited. In a random order they are a random sample, without
        further draws; and any part of an epoch over a large file visits about as many
        rows as any other.

        Parameters
        ----------
        rows : (n,), int64, all training rows in random order
        losses : (N,), as `losses` was when the epoch began

        Returns
        -------
        (visits,), int64
        """
        count = visits(self._fraction, len(rows))
        hardest = max(1, round(HARDEST * count))
        found = losses[rows]
        least = np.partition(found, len(found) - hardest)[len(found) - hardest]
        is_chosen = found > least
        is_chosen[_spread(np.flatnonzero(found == least), hardest - int(np.count_nonzero(is_chosen)))] = True
        is_chosen[_spread(np.flatnonzero(~is_chosen), count - hardest)] = True
        chosen: NDArray[np.int64] = rows[is_chosen]
        return chosen


def _spread(places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return ``count`` of the places, at equal distances."""
    steps = np.arange(len(places) + 1) * count // max(1, len(places))
    return places[np.diff(steps) > 0]
