"""The step of `fastbp.reference.step` with everything that may be asked of it, in plain
NumPy.

The names and shapes are those of `fastbp.reference.step`, which is the step without
options; read it first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .activations import Activation
from .batch_norm import Normalized, normalize
from .losses import Output, Targets, mean
from .step import CHUNK, Floats, Images, Integers, gather, predict_logits

__all__ = ["Data", "Masks", "Model", "Options", "Update", "backward", "evaluate", "forward", "train_steps"]

Masks: TypeAlias = Callable[[int, Integers], Floats | None]
"""Of a layer and rows of the data: what its inputs are multiplied by, (B, D), or None
for nothing.
"""


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
    factors : L arrays (B, D), what the inputs of each layer are multiplied by (those of
        the first one are already), or None for nothing
    normalized : OUT, of each hidden layer what ``backward`` needs, or None for no batch
        normalisation
    epsilon : of the normalisation

    Returns
    -------
    activations : L arrays (B, D): the input of each layer
    slopes : L - 1 arrays (B, H) of the hidden layers: derivatives of their outputs by
        what went in
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
    """Carry the derivative from the logits back to every parameter: d_z' = (d_z W^T) *
    slope.

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


@dataclass(frozen=True, eq=False)
class Model:
    """A network: L weights (D, H) and biases (H,), its activation function, its output
    unit with the loss.
    """

    weights: Sequence[Floats]
    biases: Sequence[Floats]
    activation: Activation
    output: Output


@dataclass(frozen=True, eq=False)
class Data:
    """Images (N, D), what they are multiplied by, and targets (N,) or (N, C), as the
    output takes them.
    """

    images: Images
    targets: Targets
    input_scale: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """What a step does beyond the lesson; at its defaults, nothing.

    Attributes
    ----------
    distort : returns some rows of the images as data augmentation makes them; None for
        the images as they are
    masks : dropout. ``input_scale`` has the factor of inputs that are kept, whose masks
        are 0 and 1
    smoothing, sample_weights : of the loss; the weights are of all images, (N,)
    sample_losses : OUT, (N,), each sample's loss where it is visited; None for nothing
    observe : told what batch normalisation made of each hidden layer, and the step;
        None for no normalisation
    epsilon : of the normalisation
    """

    distort: Callable[[Integers], Images] | None = None
    masks: Masks | None = None
    smoothing: float = 0.0
    sample_weights: Floats | None = None
    sample_losses: Floats | None = None
    observe: Callable[[list[Normalized], int], None] | None = None
    epsilon: float = 0.0


Update: TypeAlias = Callable[[list[Floats], list[Floats], float], None]
"""Given the derivatives by weights and biases, and the learning rate, moves the
parameters.
"""


def train_steps(
    model: Model,
    data: Data,
    order: Integers,
    batch_size: int,
    rates: NDArray[np.float64],
    update: Update,
    options: Options,
) -> tuple[NDArray[np.float64], Integers]:
    """Make a step for each mini-batch of ``order``, in place; see
    `fastbp.reference.step.train_steps`.

    Returns
    -------
    losses, correct : (steps,): mean loss of each batch, and how many of its samples are
        right; NaN and 0 after the first loss that is not finite, which ends the run
    """
    losses, correct = np.full(len(rates), np.nan), np.zeros(len(rates), np.int64)
    weights, biases = model.weights, model.biases
    for step, rate in enumerate(rates.tolist()):
        rows = order[step * batch_size : (step + 1) * batch_size]
        x = _inputs(data, rows, weights[0].dtype, options.distort)
        factors = None if options.masks is None else [options.masks(n, rows) for n in range(len(weights))]
        if factors is not None and factors[0] is not None:
            x = x * factors[0]
        normalized: list[Normalized] | None = None if options.observe is None else []
        activations, slopes, logits = forward(
            weights, biases, x, model.activation, factors, normalized, options.epsilon
        )
        if options.observe is not None and normalized is not None:
            options.observe(normalized, step)
        of_rows = None if options.sample_weights is None else options.sample_weights[rows]
        found, d_logits = model.output.losses(logits, data.targets[rows], options.smoothing, of_rows)
        losses[step] = mean(found)
        if options.sample_losses is not None:
            options.sample_losses[rows] = found
        correct[step] = model.output.right(logits, data.targets[rows])
        if not math.isfinite(losses[step]):
            break
        d_weights, d_biases = backward(weights, activations, slopes, d_logits, normalized)
        update(d_weights, d_biases, rate)
    return losses, correct


def _inputs(
    data: Data, rows: Integers, dtype: np.dtype[Any], distort: Callable[[Integers], Images] | None
) -> Floats:
    """Return a batch (B, D), distorted where that is asked."""
    if distort is None:
        return gather(data.images, rows, data.input_scale, dtype)
    return gather(distort(rows), np.arange(len(rows)), data.input_scale, dtype)


def evaluate(model: Model, data: Data, rows: Integers, chunk: int = CHUNK) -> tuple[float, float]:
    """Compute mean loss and accuracy (0..1) over one or more ``rows`` of the images,
    ``chunk`` at a time.
    """
    total, right = 0.0, 0
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        logits = predict_logits(
            model.weights,
            model.biases,
            data.images[part],
            data.input_scale,
            chunk,
            model.activation.value,
        )
        total += mean(model.output.losses(logits, data.targets[part], 0.0, None)[0]) * len(part)
        right += model.output.right(logits, data.targets[part])
    return total / len(rows), right / len(rows)
