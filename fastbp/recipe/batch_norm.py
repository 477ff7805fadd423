"""Batch normalisation: running statistics of hidden units, and the plain network that
they make of one.

Ioffe & Szegedy, "Batch normalization: accelerating deep network training by reducing
internal covariate shift", ICML 2015. There is no scale that is learnt: what it would
do, the next layer's weights can.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..network import FloatArray, Network

__all__ = ["EPSILON", "BatchNorm"]

EPSILON = 1e-5  # added to variances
GAIN = 0.1  # of the running statistics, for each update; more for the first ones, of which they are the mean


class BatchNorm:
    """Statistics of each hidden unit's sums without bias, over the mini-batches so far.

    Parameters
    ----------
    network : whose hidden units are normalised; its biases are added afterwards

    Attributes
    ----------
    mean, variance : (U,), of the network's type: rows of the hidden layers one after
        the other, padded as the rows of its block are
    unit_at : (L - 1,), int64: where each hidden layer's row begins
    updates : how many there were
    """

    def __init__(self, network: Network) -> None:
        rows = network.layout[:-1, 2]
        ends = np.cumsum(rows)
        self.unit_at: NDArray[np.int64] = np.ascontiguousarray(ends - rows)
        self.mean: FloatArray = np.zeros(int(ends[-1]) if len(ends) else 0, network.dtype)
        self.variance: FloatArray = np.ones_like(self.mean)
        self.updates = 0

    def gains(self, count: int) -> NDArray[np.float64]:
        """Return how far the statistics of each of the next updates draw the running
        ones; count them.
        """
        numbers = self.updates + 1 + np.arange(count)
        self.updates += count
        return np.maximum(GAIN, 1 / numbers)

    def observe(self, layer: int, mean: FloatArray, variance: FloatArray, samples: int, gain: float) -> None:
        """Take note of a batch's statistics, (H,), of a hidden layer; of one sample
        there are none.

        ``variance`` is the batch's own; that of all samples, which is kept, is N / (N -
        1) times as large.
        """
        if samples < 2:
            return
        some = slice(int(self.unit_at[layer]), int(self.unit_at[layer]) + len(mean))
        self.mean[some] += self.mean.dtype.type(gain) * (mean - self.mean[some])
        unbiased = variance * variance.dtype.type(samples / (samples - 1))
        self.variance[some] += self.mean.dtype.type(gain) * (unbiased - self.variance[some])

    def is_finite(self) -> bool:
        """Whether the statistics are; normalised values and parameters may be where
        sums are too large.
        """
        return bool(np.isfinite(self.mean).all() and np.isfinite(self.variance).all())

    def fold(self, network: Network) -> None:
        """Turn the parameters of a normalised network into those of one without: the
        same answers.

        Before the first update there are no statistics, and the parameters stay as they
        are.
        """
        if not self.updates:
            return
        for layer, start in enumerate(self.unit_at.tolist()):
            weight, bias = network.weights[layer], network.biases[layer]
            some = slice(start, start + len(bias))
            inverse = 1 / np.sqrt(self.variance[some] + self.variance.dtype.type(EPSILON))
            weight *= inverse
            bias -= self.mean[some] * inverse
