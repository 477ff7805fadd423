"""The samples of a run: images, targets, and the rows for training and validation."""

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
        network's dtype
    rows : (n,), int64, rows to train on
    validation_rows : (m,), int64, rows held out; may be empty
    weights : (N,), float64, factor of each sample's training loss, multiplied with
        ``class_weight``; None for 1
    distortion : data augmentation of the training images; validation uses the original
        images
    shuffles : whether the seed shuffles the rows anew in each epoch
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
        """Hold out a random fraction of the rows, as the settings say."""
        rows, validation_rows = split(settings.seed, len(images), settings.validation)
        return cls(
            images=images,
            targets=targets,
            rows=rows,
            validation_rows=validation_rows,
            weights=weights,
            distortion=distortion,
        )
