"""The step of `fastbp.reference` with everything that may be asked of it, in plain NumPy.

The names and shapes are those of `fastbp.reference`, which is the step without options; read it first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .reference import Floats, Images, Integers, gather, softmax_cross_entropy
from .reference_activations import Activation

__all__ = ["backward", "forward", "train_steps"]


def forward(
    weights: Sequence[Floats], biases: Sequence[Floats], x: Floats, activation: Activation
) -> tuple[list[Floats], list[Floats], Floats]:
    """Pass a batch through the network, and keep what ``backward`` needs.

    Parameters
    ----------
    weights, biases : L arrays (D, H) and (H,)
    x : (B, D of the first layer)
    activation : of hidden layers

    Returns
    -------
    activations : L arrays (B, D): the input of each layer
    slopes : L - 1 arrays (B, H) of the hidden layers: derivatives of their outputs by what went in
    logits : (B, C)
    """
    activations, slopes = [x], []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        z = activations[-1] @ weight + bias
        activations.append(activation.value(z))
        slopes.append(activation.slope(z))
    return activations, slopes, activations[-1] @ weights[-1] + biases[-1]


def backward(
    weights: Sequence[Floats], activations: Sequence[Floats], slopes: Sequence[Floats], d_logits: Floats
) -> tuple[list[Floats], list[Floats]]:
    """Carry the derivative from the logits back to every parameter: d_z' = (d_z W^T) * slope.

    Returns
    -------
    d_weights, d_biases : L arrays (D, H) and (H,)
    """
    d_weights: list[Floats] = []
    d_biases: list[Floats] = []
    d_z = d_logits
    for layer in reversed(range(len(weights))):
        d_weights.append(activations[layer].T @ d_z)
        d_biases.append(d_z.sum(axis=0))
        if layer > 0:
            d_z = (d_z @ weights[layer].T) * slopes[layer - 1]
    return d_weights[::-1], d_biases[::-1]


def train_steps(
    weights: Sequence[Floats],
    biases: Sequence[Floats],
    images: Images,
    labels: Integers,
    order: Integers,
    batch_size: int,
    rates: NDArray[np.float64],
    input_scale: float,
    losses: NDArray[np.float64],
    correct: Integers,
    activation: Activation,
) -> None:
    """Make a step for each mini-batch of ``order``, in place; see `fastbp.reference.train_steps`."""
    for step, rate in enumerate(rates.tolist()):
        rows = order[step * batch_size : (step + 1) * batch_size]
        x = gather(images, rows, input_scale, weights[0].dtype)
        activations, slopes, logits = forward(weights, biases, x, activation)
        losses[step], d_logits = softmax_cross_entropy(logits, labels[rows])
        correct[step] = np.count_nonzero(logits.argmax(axis=1) == labels[rows])
        d_weights, d_biases = backward(weights, activations, slopes, d_logits)
        for parameter, derivative in zip((*weights, *biases), (*d_weights, *d_biases), strict=True):
            parameter -= parameter.dtype.type(rate) * derivative
