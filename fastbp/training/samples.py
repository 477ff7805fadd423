"""What a run trains on: images, targets, and which rows are for training and which for
validation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..network import FloatArray
from ..random import split
from ..recipe.distortions import Distortion
from ..recipe.settings import Settings
from ..reference.losses import Targets

__all__ = ["Images", "Samples"]

Images = NDArray[np.uint8] | FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Checked arrays, divided into training and validation rows.

    Attributes
    ----------
    images : (N, D), uint8 or float, C-contiguous
    targets : classes (N,), int64, for softmax outputs; otherwise values (N, C) of the
        network's type
    rows : (n,), int64, rows to train on
    validation_rows : (m,), int64, rows held out; may be empty
    weights : (N,), factor of each sample's loss while training, beside
        ``class_weight``; None for 1
    distortion : data augmentation of the training images; validation sees images as
        they are
    shuffles : whether each epoch visits the rows in an order of its own, drawn from the
        seed
    """

    images: Images
    targets: Targets
    rows: NDArray[np.int64]
    validation_rows: NDArray[np.int64]
    weights: NDArray[np.float64] | None = None
    distortion: Distortion | None = None
    shuffles: bool = True

    @classmethod
    def held_out(
        cls,
        images: Images,
        targets: Targets,
        settings: Settings,
        *,
        weights: NDArray[np.float64] | None = None,
        distortion: Distortion | None = None,
    ) -> Samples:
        """Hold out the settings' fraction of all rows for validation, drawn from their
        seed.
        """
        rows, validation_rows = split(settings.seed, len(images), settings.validation)
        return cls(
            images=images,
            targets=targets,
            rows=rows,
            validation_rows=validation_rows,
            weights=weights,
            distortion=distortion,
        )
