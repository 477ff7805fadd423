"""What both paths are given: settings, arrays, and the initial network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..data.arrays import BYTE_SCALE
from ..network import FloatArray, Network
from ..recipe.distortions import Distortion
from ..recipe.initializers import initialize
from ..recipe.settings import Settings

__all__ = ["Problem", "widened"]

Images = NDArray[np.uint8] | FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """A training problem for both paths.

    Attributes
    ----------
    settings : network and recipe; ``backend`` and ``data`` do not count
    images : (N, D), uint8 or float
    targets : (N,), int64, classes of a softmax output; otherwise (N, C), float64
    outputs : C, units of the last layer
    output : a name of `fastbp.reference.losses.OUTPUTS`
    test_images, test_labels : (M, D), whose predictions are compared, and (M,) or None
    distortion : of the training images, which are uint8 then
    sample_weights : (N,), factors of each sample's loss; None for 1
    """

    settings: Settings
    images: Images
    targets: NDArray[np.int64] | NDArray[np.float64]
    outputs: int
    test_images: Images
    test_labels: NDArray[np.int64] | None = None
    output: str = "softmax"
    distortion: Distortion | None = None
    sample_weights: NDArray[np.float64] | None = None

    def start(self, dtype: DTypeLike) -> Network:
        """Return the network that training starts from."""
        network = Network(
            (self.images.shape[1], *self.settings.hidden, self.outputs),
            dtype=dtype,
            activation=self.settings.activation,
            output=self.output,
            input_scale=BYTE_SCALE if self.images.dtype == np.uint8 else 1.0,
        )
        initialize(network, self.settings.init, self.settings.seed)
        return network

    def images_as(self, dtype: DTypeLike) -> Images:
        """Return the images; floats in the network's type."""
        return _of(self.images, dtype)

    def test_images_as(self, dtype: DTypeLike) -> Images:
        """Return the test images; floats in the network's type."""
        return _of(self.test_images, dtype)

    def targets_as(self, dtype: DTypeLike) -> NDArray[np.int64] | FloatArray:
        """Return the targets; other than classes in the network's type."""
        return self.targets if self.targets.dtype == np.int64 else self.targets.astype(dtype)


def _of(images: Images, dtype: DTypeLike) -> Images:
    return images if images.dtype == np.uint8 else images.astype(dtype)


def widened(network: Network) -> Network:
    """Return the network in float64, with the same weights."""
    wide = Network(
        network.sizes,
        dtype=np.float64,
        activation=network.activation,
        output=network.output,
        input_scale=network.input_scale,
    )
    pairs = zip((*wide.weights, *wide.biases), (*network.weights, *network.biases), strict=True)
    for target, source in pairs:
        target[...] = source
    return wide
