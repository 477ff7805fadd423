"""Dropout: how likely inputs of each layer are left out, and the keys of an epoch's
draws.

Hinton et al., "Improving neural networks by preventing co-adaptation of feature
detectors" (2012); Srivastava et al., "Dropout: a simple way to prevent neural networks
from overfitting", JMLR 15 (2014). What is kept is multiplied by 1 / (1 - p) while
training, so that nothing changes when the network is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..random import Stream, generator

__all__ = ["Dropout", "make_dropout"]

STEPS = 2**16  # a draw has 16 bits: probabilities are multiples of 1 / 65536


@dataclass(frozen=True, slots=True)
class Dropout:
    """What kernels and reference draw with; ``thresholds`` over `STEPS` are the
    probabilities.
    """

    thresholds: NDArray[np.int64]  # (L,), of the inputs of each layer
    keys: NDArray[np.uint64]  # (L,), of seed and epoch

    def at(self, seed: int, epoch: int) -> Dropout:
        """Return what happens in an epoch, from 0: as pure a function of both as the
        order of samples.
        """
        words = generator(seed, Stream.DROPOUT, epoch).integers(2**64, size=len(self.keys), dtype=np.uint64)
        return replace(self, keys=words)

    @property
    def input_factor(self) -> float:
        """What inputs that are kept are multiplied by."""
        return STEPS / (STEPS - int(self.thresholds[0]))


def make_dropout(inputs: float, hidden: float, layers: int) -> Dropout | None:
    """Return what drops inputs and hidden units with these probabilities, None where it
    would be nothing.

    Parameters
    ----------
    inputs, hidden : 0 <= p < 1; rounded to multiples of 1 / 65536, below 1
    layers : of weights
    """
    shares = np.array([inputs, *[hidden] * (layers - 1)])
    thresholds = np.minimum(np.rint(shares * STEPS), STEPS - 1).astype(np.int64)
    return Dropout(thresholds, np.zeros(layers, np.uint64)) if thresholds.any() else None
