"""The step of `fastbp.reference.step` with everything that may be asked of it, in plain NumPy.

The names and shapes are those of `fastbp.reference.step`, which is the step without options; read it first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .activations import Activation
from .batch_norm import Normalized, normalize
from .losses import Output, Targets
from .step import CHUNK, Floats, Images, Integers, gather, predict_logits

__all__ = ["Masks", "backward", "evaluate", "forward", "train_steps"]

Masks: TypeAlias = Callable[[int, Integers], Floats | None]
"""Of a layer and rows of the data: what its inputs are multiplied by, (B, D), or None for nothing."""


def forward(
    weights: Sequence[Floats],
    biases: Sequence[Floats],
    x: Floats,
    activation: Activation,
    factors: Sequence[Floats | None] | None = None,
    normalized: list[Normalized] | None = None,
    epsilon: float = 0.0,
) -> tuple[list[Floats], list[Floats], Floats]:
    """Pass a batch through the network, and keep what ``backward`` needs.

    Parameters
    ----------
    weights, biases : L arrays (D, H) and (H,)
    x : (B, D of the first layer)
    activation : of hidden layers
    factors : L arrays (B, D), what the inputs of each layer are multiplied by (those of the first one are
        already), or None for nothing
    normalized : OUT, of each hidden layer what ``backward`` needs, or None for no batch normalisation
    epsilon : of the normalisation

    Returns
    -------
    activations : L arrays (B, D): the input of each layer
    slopes : L - 1 arrays (B, H) of the hidden layers: derivatives of their outputs by what went in
    logits : (B, C)
    """
    activations, slopes = [x], []
    for layer, (weight, bias) in enumerate(zip(weights[:-1], biases[:-1], strict=True)):
        z: Floats = activations[-1] @ weight
        if normalized is not None:
            normalized.append(normalize(z, epsilon))
            z = normalized[-1].values
        z = z + bias
        factor = factors[layer + 1] if factors is not None else None
        activations.append(activation.value(z) if factor is None else activation.value(z) * factor)
        slopes.append(activation.slope(z) if factor is None else activation.slope(z) * factor)
    return activations, slopes, activations[-1] @ weights[-1] + biases[-1]


def backward(
    weights: Sequence[Floats],
    activations: Sequence[Floats],
    slopes: Sequence[Floats],
    d_logits: Floats,
    normalized: Sequence[Normalized] | None = None,
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
        d_biases.append(d_z.sum(axis=0))
        if normalized is not None and layer < len(weights) - 1:
            d_z = normalized[layer].backward(d_z)
        d_weights.append(activations[layer].T @ d_z)
        if layer > 0:
            d_z = (d_z @ weights[layer].T) * slopes[layer - 1]
    return d_weights[::-1], d_biases[::-1]


def train_steps(
    weights: Sequence[Floats],
    biases: Sequence[Floats],
    images: Images,
    targets: Targets,
    order: Integers,
    batch_size: int,
    rates: NDArray[np.float64],
    input_scale: float,
    losses: NDArray[np.float64],
    correct: Integers,
    activation: Activation,
    output: Output,
    update: Callable[[list[Floats], list[Floats], float], None],
    distort: Callable[[Integers], Images] | None = None,
    masks: Masks | None = None,
    smoothing: float = 0.0,
    sample_weights: Floats | None = None,
    observe: Callable[[list[Normalized], int], None] | None = None,
    epsilon: float = 0.0,
) -> None:
    """Make a step for each mini-batch of ``order``, in place; see `fastbp.reference.step.train_steps`.

    Parameters
    ----------
    targets : of all images, (N,) or (N, C), as ``output`` takes them
    activation : of hidden layers
    output : of the last one, with its loss
    update : given the derivatives by weights and biases, and the rate, moves the parameters
    distort : what to take for some rows of the images, None for the images as they are
    masks : of dropout; ``input_scale`` has the factor of inputs that are kept, whose masks are 0 and 1
    smoothing, sample_weights : of the loss; the weights are of all images, (N,)
    observe : given what batch normalisation made of each hidden layer, and the step; None for none of it
    epsilon : of the normalisation
    """
    for step, rate in enumerate(rates.tolist()):
        rows = order[step * batch_size : (step + 1) * batch_size]
        if distort is None:
            x = gather(images, rows, input_scale, weights[0].dtype)
        else:
            x = gather(distort(rows), np.arange(len(rows)), input_scale, weights[0].dtype)
        factors = None if masks is None else [masks(layer, rows) for layer in range(len(weights))]
        if factors is not None and factors[0] is not None:
            x = x * factors[0]
        normalized: list[Normalized] | None = None if observe is None else []
        activations, slopes, logits = forward(weights, biases, x, activation, factors, normalized, epsilon)
        if observe is not None and normalized is not None:
            observe(normalized, step)
        of_rows = None if sample_weights is None else sample_weights[rows]
        losses[step], d_logits = output.loss(logits, targets[rows], smoothing, of_rows)
        correct[step] = output.right(logits, targets[rows])
        d_weights, d_biases = backward(weights, activations, slopes, d_logits, normalized)
        update(d_weights, d_biases, rate)


def evaluate(
    weights: Sequence[Floats],
    biases: Sequence[Floats],
    images: Images,
    targets: Targets,
    rows: Integers,
    input_scale: float,
    activation: Activation,
    output: Output,
    chunk: int = CHUNK,
) -> tuple[float, float]:
    """Compute mean loss and accuracy (0..1) over one or more ``rows`` of the images, ``chunk`` at a time."""
    total, right = 0.0, 0
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        logits = predict_logits(weights, biases, images[part], input_scale, chunk, activation.value)
        total += output.loss(logits, targets[part], 0.0, None)[0] * len(part)
        right += output.right(logits, targets[part])
    return total / len(rows), right / len(rows)
