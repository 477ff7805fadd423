"""How weights start: small enough not to saturate, large enough that signals survive
every layer.

What to look at is the mean square of a layer's outputs over that of its inputs. A ReLU
lets half of the mean square of a symmetric input through, so a layer of D inputs with
weights of mean 0 and variance v has a ratio of v D / 2: 1 keeps the signal, whatever
the depth, anything else is raised to the power of the depth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..network import Network
from ..random import Stream, generator

__all__ = ["ALIASES", "SCHEMES", "initialize"]


class Layer(NamedTuple):
    """Where weights stand: between how many units, in a network of how many inputs and
    outputs.
    """

    fan_in: int
    fan_out: int
    inputs: int
    outputs: int


def zeros(_rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Set every weight to 0. Nothing overflows, and a network with a hidden layer
    learns nothing from it.

    Units of a layer that are alike get the same derivative and stay alike. With weights
    of 0 it is worse: hidden activations are 0, so the last layer's weights get no
    derivative, and the derivative that goes back through them is 0 too. Only the last
    biases move, to the frequencies of the classes.
    """
    return np.zeros(layer[:2])


def uniform(rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Draw from U(0, 1): all positive, a layer's outputs have D / 2 times the mean of
    its inputs.

    784-100-100-10 on MNIST starts with logits of about 100,000, where exp overflows;
    their differences decide nearly every sample wholly, whatever its class.
    """
    return rng.random(layer[:2])


def he(rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Draw normal weights of variance 2 / D: a ReLU layer then keeps the mean square of
    its inputs.

    He, Zhang, Ren & Sun, "Delving Deep into Rectifiers", ICCV 2015, eq. 10: D/2 Var[w]
    = 1, where the half is the part of the inputs that ReLU lets through.
    """
    return rng.standard_normal(layer[:2]) * math.sqrt(2 / layer.fan_in)


def xavier(rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Draw normal weights of variance 2 / (D + H), between what keeps activations and
    what keeps gradients.

    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, eq. 12: Var[w] = 2 / (D + H), a compromise of 1 / D and 1 /
    H. They draw from U(-a, a) with a = sqrt(6 / (D + H)); this is the normal form with
    the same variance. Made for units whose slope at 0 is 1: between ReLU layers of one
    size it halves the mean square with every layer.
    """
    return rng.standard_normal(layer[:2]) * math.sqrt(2 / (layer.fan_in + layer.fan_out))


def xavier_uniform(rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Draw from U(-a, a), a = sqrt(6 / (D + H)): Glorot & Bengio (2010), eq. 16.
    Variance as `xavier`.
    """
    bound = math.sqrt(6 / (layer.fan_in + layer.fan_out))
    return rng.uniform(-bound, bound, layer[:2])


def lecun(rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Draw normal weights of variance 1 / D: a linear layer then keeps the mean square,
    a ReLU halves it.

    LeCun, Bottou, Orr & Müller, "Efficient BackProp", in Neural Networks: Tricks of the
    Trade (1998), eq. 16.
    """
    return rng.standard_normal(layer[:2]) / math.sqrt(layer.fan_in)


def orthogonal(rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Draw a matrix whose columns (rows, if D < H) are orthogonal, of length sqrt(2),
    uniformly among such.

    Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks", ICLR 2014; sqrt(2) makes up for ReLU. Where D >= H
    the weights have `he`'s variance.
    """
    wide = layer.fan_in < layer.fan_out
    normal = rng.standard_normal((layer.fan_out, layer.fan_in) if wide else layer[:2])
    q, r = np.linalg.qr(normal)
    # Householder's signs are a convention; those of R's diagonal make the draw uniform
    # (Mezzadri 2007).
    q *= math.sqrt(2) * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(q.T if wide else q)


def report_he(rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Draw normal weights times 2 / sqrt(D), the report's "He" as printed there.

    He et al. print sqrt(2 / D). The variance is 4 / D, twice theirs: the mean square of
    the signal doubles with every ReLU layer, and logits start 2^(L/2) times as large
    after L layers.
    """
    return rng.standard_normal(layer[:2]) * (2 / math.sqrt(layer.fan_in))


def report_xavier(rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Draw normal weights times 2 / sqrt(D + H), the report's "Xavier" as printed
    there.

    Glorot & Bengio have sqrt(2 / (D + H)). The variance is 4 / (D + H), twice theirs:
    between layers of one size this is He's 2 / D, which is what ReLU needs; from 784 to
    100 inputs it is 4 / 884, 1.8 of He's.
    """
    return rng.standard_normal(layer[:2]) * (2 / math.sqrt(layer.fan_in + layer.fan_out))


def report_he_network(rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Draw normal weights times 2 / sqrt(D), where D is what the network has for
    inputs, in every layer.

    The other reading of `report_he`: the report says that the output size is 10 and the
    input size 784. Its two formulas then give 0.0714 and 0.0710, which is why it finds
    little between them. Narrow hidden layers start smaller than the formula means: from
    100 units the mean square falls to a quarter.
    """
    return rng.standard_normal(layer[:2]) * (2 / math.sqrt(layer.inputs))


def report_xavier_network(rng: np.random.Generator, layer: Layer) -> NDArray[np.float64]:
    """Draw normal weights times 2 / sqrt(D + C) of the network's inputs and classes, in
    every layer.

    The other reading of `report_xavier`, for the reason given at `report_he_network`.
    With 48,000 digits to train on it meets the report's accuracies, which layers' own
    sizes do not; see docs/report.
    """
    return rng.standard_normal(layer[:2]) * (2 / math.sqrt(layer.inputs + layer.outputs))


SCHEMES: dict[str, Callable[[np.random.Generator, Layer], NDArray[np.float64]]] = {
    "he": he,
    "xavier": xavier,
    "xavier-uniform": xavier_uniform,
    "lecun": lecun,
    "orthogonal": orthogonal,
    "zeros": zeros,
    "uniform": uniform,
    "report-he": report_he,
    "report-xavier": report_xavier,
    "report-he-network": report_he_network,
    "report-xavier-network": report_xavier_network,
}

ALIASES = {"kaiming": "he", "glorot": "xavier", "glorot-uniform": "xavier-uniform"}
"""Other names of schemes."""


def initialize(network: Network, scheme: str = "he", seed: int = 0) -> None:
    """Draw new weights in place, and set the biases to zero.

    Layer ``l`` draws (D, H) float64 numbers from the generator of (seed, weights, l),
    then rounds them to the network's type: a float32 and a float64 network start alike,
    and a layer does not depend on the others.

    Parameters
    ----------
    network : written to
    scheme : a name in `SCHEMES`
    seed : 0 <= seed < 2**63

    Raises
    ------
    ConfigError : the scheme is not known, or the seed is out of range; the network is
        then as it was
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"initialisation is {scheme!r}; expected one of: {', '.join(SCHEMES)}")
    inputs, outputs = network.sizes[0], network.sizes[-1]
    for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        layer = Layer(weight.shape[0], weight.shape[1], inputs, outputs)
        weight[...] = SCHEMES[scheme](generator(seed, Stream.WEIGHTS, number), layer)
        bias[...] = 0
