"""How weights start: small enough not to saturate, large enough that signals survive every layer."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigError
from .network import Network
from .random import Stream, generator

__all__ = ["SCHEMES", "initialize"]


def he(rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
    """Draw normal weights of variance 2 / D: a ReLU layer then keeps the mean square of its inputs.

    He, Zhang, Ren & Sun, "Delving Deep into Rectifiers", ICCV 2015, eq. 10: D/2 Var[w] = 1, where the half is
    the part of the inputs that ReLU lets through.
    """
    return rng.standard_normal((fan_in, fan_out)) * math.sqrt(2 / fan_in)


def xavier(rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
    """Draw normal weights of variance 2 / (D + H), between what keeps activations and what keeps gradients.

    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS
    2010, eq. 12: Var[w] = 2 / (D + H), a compromise of 1 / D and 1 / H. They draw from U(-a, a) with
    a = sqrt(6 / (D + H)); this is the normal form with the same variance.
    """
    return rng.standard_normal((fan_in, fan_out)) * math.sqrt(2 / (fan_in + fan_out))


SCHEMES: dict[str, Callable[[np.random.Generator, int, int], NDArray[np.float64]]] = {
    "he": he,
    "xavier": xavier,
}


def initialize(network: Network, scheme: str = "he", seed: int = 0) -> None:
    """Draw new weights in place, and set the biases to zero.

    Layer ``l`` draws (D, H) float64 numbers from the generator of (seed, weights, l), then rounds them to the
    network's type: a float32 and a float64 network start alike, and a layer does not depend on the others.

    Parameters
    ----------
    network : written to
    scheme : one of `SCHEMES`: ``"he"`` or ``"xavier"``
    seed : 0 <= seed < 2**63

    Raises
    ------
    ConfigError : the scheme is not known, or the seed is out of range; the network is then as it was
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"initialisation is {scheme!r}; expected one of: {', '.join(SCHEMES)}")
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        fan_in, fan_out = weight.shape
        weight[...] = SCHEMES[scheme](generator(seed, Stream.WEIGHTS, layer), fan_in, fan_out)
        bias[...] = 0
