"""Batch normalisation of a layer's sums and its derivative, in plain NumPy.

Ioffe & Szegedy, "Batch normalization", ICML 2015, algorithm 1 without scale and shift:
these are left to the next layer's weights and to the bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .step import Floats

__all__ = ["Normalized", "normalize"]


@dataclass(frozen=True, slots=True)
class Normalized:
    """A layer's sums as they are after it, and what they were normalised by."""

    values: Floats  # (B, H), z^: of each unit mean 0 and variance 1 over the batch
    mean: Floats  # (H,)
    variance: Floats  # (H,), of the batch itself
    inverse: Floats  # (H,), 1 / sqrt(variance + epsilon)

    def backward(self, d: Floats) -> Floats:
        """Carry the derivative by the normalised values back to the sums, (B, H).

        Mean and variance depend on every sample: d_z = (d - mean d - z^ mean(d z^)) /
        deviation.
        """
        along = (d * self.values).mean(axis=0)
        derivative: Floats = self.inverse * (d - d.mean(axis=0) - self.values * along)
        return derivative


def normalize(z: Floats, epsilon: float) -> Normalized:
    """Normalise each column of z, (B, H), over the batch. A batch of one sample becomes
    0.
    """
    mean = z.mean(axis=0)
    apart = z - mean
    variance = (apart * apart).mean(axis=0)
    inverse = 1 / np.sqrt(variance + z.dtype.type(epsilon))
    return Normalized(apart * inverse, mean, variance, inverse)
