"""Backpropagation in plain NumPy: what every faster path must compute, written to be
read.

Shapes: N samples, B samples in a mini-batch, D inputs of a layer, H outputs of it, C
classes, L layers. A name that starts with ``d_`` holds the derivative of the loss by
what it is named after, and has its shape.

One step of training is `sgd_step`: read it first. Arrays have the type of the weights,
float32 or float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "backward",
    "forward",
    "gather",
    "log_sum_exp",
    "naive_softmax_cross_entropy",
    "naive_two_term_cross_entropy",
    "predict_logits",
    "relu",
    "sgd_step",
    "softmax_cross_entropy",
    "train_steps",
]

Floats: TypeAlias = NDArray[np.floating[Any]]
Images: TypeAlias = NDArray[np.uint8] | NDArray[np.floating[Any]]
Integers: TypeAlias = NDArray[np.int64]

CHUNK = 1024  # samples that pass the network at once outside of training, to bound the memory for activations


def relu(z: Floats) -> Floats:
    """Compute max(0, z), elementwise."""
    return np.maximum(z, 0)


def forward(
    weights: Sequence[Floats],
    biases: Sequence[Floats],
    x: Floats,
    activate: Callable[[Floats], Floats] = relu,
) -> tuple[list[Floats], Floats]:
    """Pass a batch through the network: a_0 = x, a_l = relu(a_{l-1} W_l + b_l), logits
    = a_{L-1} W_L + b_L.

    Parameters
    ----------
    weights : L arrays (D, H); each layer's D is the H of the layer before it
    biases : L arrays (H,)
    x : (B, D of the first layer)
    activate : activation function of the hidden layers; ``backward`` knows ReLU only

    Returns
    -------
    activations : L arrays (B, D): the input of each layer; ``backward`` needs them
    logits : (B, C)

    Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors",
    Nature 323 (1986), eq. 1 and 2, with rectified linear units (Nair & Hinton, ICML
    2010) for their sigmoids.
    """
    activations = [x]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        activations.append(activate(activations[-1] @ weight + bias))
    # The last layer stays linear: the softmax that would follow is part of the loss,
    # where it can be exact.
    return activations, activations[-1] @ weights[-1] + biases[-1]


def log_sum_exp(logits: Floats) -> Floats:
    """Compute log(sum_c exp(z_c)) of each row, for logits of any size.

    Parameters
    ----------
    logits : (B, C)

    Returns
    -------
    (B, 1)

    exp(89) overflows float32. But log(sum exp(z)) = m + log(sum exp(z - m)) for every
    m, and with m = max(z) all exponents are <= 0 and one is 0: nothing overflows, and
    the sum, at least 1, has a logarithm. Blanchard, Higham & Higham, "Accurately
    computing the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41 (2021).
    """
    highest: Floats = logits.max(axis=1, keepdims=True)
    total: Floats = np.exp(logits - highest).sum(axis=1, keepdims=True)
    return highest + np.log(total)


def softmax_cross_entropy(logits: Floats, labels: Integers) -> tuple[float, Floats]:
    """Compute the batch's mean of -log p[label], where p = softmax(z), and its
    derivative by the logits.

    Parameters
    ----------
    logits : (B, C)
    labels : (B,), 0 <= label < C

    Returns
    -------
    loss : in nats per sample
    d_logits : (B, C), (p - onehot(label)) / B

    Since -log p_y = log(sum_c exp(z_c)) - z_y, its derivative by z_k is exp(z_k) /
    sum_c exp(z_c) - [k = y]: what the network said less what it should have said.
    Bridle, "Probabilistic interpretation of feedforward classification network
    outputs", in Neurocomputing (1990); Bishop, PRML (2006), eq. 4.109.
    """
    # Moving all logits of a sample together changes no probability. Move the highest to
    # 0 first: added to logits of 1e30, the logarithm of a sum between 1 and C would be
    # lost in rounding.
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = log_sum_exp(shifted)

    samples = np.arange(len(labels))
    loss = float(np.mean(log_sum[:, 0] - shifted[samples, labels], dtype=np.float64))

    d_logits = np.exp(shifted - log_sum)
    d_logits[samples, labels] -= 1
    # A mean, not a sum: how far a step goes then depends on the learning rate, not on
    # the size of the batch. A smaller last batch counts with its own size.
    d_logits /= len(labels)
    return loss, d_logits


def naive_softmax_cross_entropy(logits: Floats, labels: Integers) -> tuple[float, Floats]:
    """Compute what `softmax_cross_entropy` does by the formula as it stands: to show
    how that breaks.

    exp(z) is infinite from z = 88.8 on in float32, from 709.8 on in float64, and
    infinity / infinity is NaN. A probability below the smallest number is 0, and its
    logarithm minus infinity.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        exponentials = np.exp(logits)
        p = exponentials / exponentials.sum(axis=1, keepdims=True)
        y = np.eye(logits.shape[1], dtype=p.dtype)[labels]
        loss = float(np.mean(-np.log(p[y == 1]), dtype=np.float64))
    return loss, (p - y) / len(labels)


def naive_two_term_cross_entropy(logits: Floats, labels: Integers) -> tuple[float, Floats]:
    """Compute sum_c -(y_c log p_c + (1 - y_c) log(1 - p_c)) of softmax's p, and (p - y)
    / B: often seen.

    The second term belongs to independent outputs. p is rounded to 1 where its logit
    exceeds log-sum-exp of the others by 53 log 2 = 36.7 in float64, 24 log 2 = 16.6 in
    float32: log(1 - p) is then minus infinity, and for the true class 0 times that,
    NaN. A network that is sure and right loses its loss.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        exponentials = np.exp(logits)
        p = exponentials / exponentials.sum(axis=1, keepdims=True)
        y = np.eye(logits.shape[1], dtype=p.dtype)[labels]
        losses = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1)
    return float(np.mean(losses, dtype=np.float64)), (p - y) / len(labels)


def backward(
    weights: Sequence[Floats], activations: Sequence[Floats], d_logits: Floats
) -> tuple[list[Floats], list[Floats]]:
    """Carry the derivative from the logits back to every parameter.

    With d_z the derivative by a layer's output before ReLU (d_logits for the last
    layer), and a its input: d_W = a^T d_z,  d_b = sum over the batch of d_z,  and for
    the layer before: d_z' = (d_z W^T) * [a > 0].

    Parameters
    ----------
    weights : L arrays (D, H)
    activations : L arrays (B, D), from ``forward``
    d_logits : (B, C)

    Returns
    -------
    d_weights : L arrays (D, H)
    d_biases : L arrays (H,)

    Rumelhart, Hinton & Williams (1986), eq. 4 to 7.
    """
    d_weights: list[Floats] = []
    d_biases: list[Floats] = []
    d_z = d_logits
    for layer in reversed(range(len(weights))):
        a = activations[layer]
        d_weights.append(a.T @ d_z)
        d_biases.append(d_z.sum(axis=0))
        if layer > 0:
            # ReLU passes the derivative on where it passed the signal on. At 0 exactly,
            # where it has no derivative, we take 0: a > 0 says so without keeping what
            # was there before ReLU.
            d_z = (d_z @ weights[layer].T) * (a > 0)
    return d_weights[::-1], d_biases[::-1]


def sgd_step(
    weights: Sequence[Floats], biases: Sequence[Floats], x: Floats, labels: Integers, rate: float
) -> tuple[float, int]:
    """Make one step of stochastic gradient descent: W <- W - rate * d_W, b <- b - rate
    * d_b, in place; no step if the loss is not finite.

    Parameters
    ----------
    weights, biases : L arrays (D, H) and (H,); IN and OUT
    x : (B, D of the first layer)
    labels : (B,)
    rate : learning rate

    Returns
    -------
    loss : mean over the batch, before the step
    n_correct : samples whose highest logit was their label's, before the step; of equal
        ones the first counts

    Robbins & Monro, "A stochastic approximation method", Ann. Math. Statist. 22 (1951).
    """
    activations, logits = forward(weights, biases, x)
    loss, d_logits = softmax_cross_entropy(logits, labels)
    n_correct = int(np.count_nonzero(logits.argmax(axis=1) == labels))
    if not math.isfinite(loss):  # it has diverged, and so would the weights
        return loss, n_correct
    d_weights, d_biases = backward(weights, activations, d_logits)
    # All derivatives are taken before any weight moves: those of early layers use the
    # weights of later ones.
    for parameter, derivative in zip((*weights, *biases), (*d_weights, *d_biases), strict=True):
        parameter -= parameter.dtype.type(rate) * derivative
    return loss, n_correct


def gather(images: Images, rows: Integers, input_scale: float, dtype: np.dtype[Any]) -> Floats:
    """Copy rows of the images into a batch (B, D) of the given type, times
    ``input_scale``.
    """
    batch: Floats = images[rows].astype(dtype)
    batch *= dtype.type(input_scale)
    return batch


def train_steps(
    weights: Sequence[Floats],
    biases: Sequence[Floats],
    images: Images,
    labels: Integers,
    order: Integers,
    batch_size: int,
    rates: NDArray[np.float64],
    input_scale: float,
) -> tuple[NDArray[np.float64], Integers]:
    """Make one `sgd_step` for each mini-batch of ``order``.

    Parameters
    ----------
    weights, biases : L arrays (D, H) and (H,); IN and OUT
    images : (N, D of the first layer), uint8 or float
    labels : (N,)
    order : (n,), rows of ``images``; batch s is ``order[s * batch_size : (s + 1) *
        batch_size]``
    rates : (steps,), steps = ceil(n / batch_size): learning rate of each step
    input_scale : what the images are multiplied by

    Returns
    -------
    losses, correct : (steps,): what each `sgd_step` returned; NaN and 0 after the first
        loss that is not finite, which ends the run
    """
    losses, correct = np.full(len(rates), np.nan), np.zeros(len(rates), np.int64)
    for step in range(len(rates)):
        rows = order[step * batch_size : (step + 1) * batch_size]
        x = gather(images, rows, input_scale, weights[0].dtype)
        losses[step], correct[step] = sgd_step(weights, biases, x, labels[rows], float(rates[step]))
        if not math.isfinite(losses[step]):
            break
    return losses, correct


def predict_logits(
    weights: Sequence[Floats],
    biases: Sequence[Floats],
    images: Images,
    input_scale: float,
    chunk: int = CHUNK,
    activate: Callable[[Floats], Floats] = relu,
) -> Floats:
    """Compute the logits (N, C) of images (N, D), ``chunk`` samples at a time."""
    logits = np.empty((len(images), len(biases[-1])), dtype=weights[0].dtype)
    for start in range(0, len(images), chunk):
        rows = np.arange(start, min(start + chunk, len(images)))
        x = gather(images, rows, input_scale, weights[0].dtype)
        logits[rows] = forward(weights, biases, x, activate)[1]
    return logits
