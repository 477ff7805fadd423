"""What a step of training does beyond plain SGD: one object that the trainer hands to a
backend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..network import FloatArray
from .batch_norm import BatchNorm
from .distortions import Distortion
from .dropout import Dropout
from .optimizers import Optimizer

__all__ = ["PLAIN", "StepOptions"]


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """Each option that is left at its default costs nothing, and leaves every bit as it
    was.
    """

    distortion: Distortion | None = None  # None: images as they are
    optimizer: Optimizer | None = None  # None: plain SGD
    dropout: Dropout | None = None
    batch_norm: BatchNorm | None = None  # None: hidden layers are not normalised
    label_smoothing: float = 0.0  # part of each label's probability that is spread over all classes
    sample_weights: NDArray[np.float64] | None = None  # (N,): factors of each sample's loss; None: all 1
    sample_losses: FloatArray | None = None  # OUT, (N,): loss of each sample that is visited, weighted

    @property
    def is_plain(self) -> bool:
        """Whether the arithmetic is plain; to take note of losses changes none."""
        given = (
            self.distortion,
            self.optimizer,
            self.dropout,
            self.batch_norm,
            self.sample_weights,
        )
        return all(option is None for option in given) and self.label_smoothing == 0


PLAIN = StepOptions()
"""Plain SGD, and nothing else."""
