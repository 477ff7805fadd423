"""Losses: of each sample, its gradient, and whether the answer was right, in one pass.

Softmax cross-entropy by log-sum-exp, for classes:

loss = -log softmax(z)[y] = max(z) + log(sum(exp(z - max(z)))) - z[y];   d loss / dz = softmax(z) - onehot(y)

Logistic loss, for labels of which any number may apply, y from 0 to 1:

loss = sum(max(z, 0) - z y + log(1 + exp(-|z|)));   d loss / dz = 1 / (1 + exp(-z)) - y

Squared error, for values: loss = sum((z - y)**2) / 2;   d loss / dz = z - y

exp never sees a positive number, so nothing overflows: logits of 1e30 have a finite loss and gradient.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .elementary import exp, log, log1p_exp, logistic
from .jit import njit
from .simd import (
    add,
    first_equal,
    first_lane,
    largest,
    load,
    maximum,
    multiply,
    offset,
    pointer,
    splat,
    store,
    subtract,
    total,
    width,
)

__all__ = [
    "LOSSES",
    "Objective",
    "losses_of_targets",
    "make_objective",
    "softmax_cross_entropy",
    "weighted_cross_entropy",
]

LOSSES = {"softmax": 0, "logistic": 1, "identity": 2}
"""The number by which compiled code knows the output unit with its loss."""
LOGISTIC = LOSSES["logistic"]
FARTHEST = -1e30
"""A logit whose logistic function is 0, and its loss too; its square is never taken."""


class Objective(NamedTuple):
    """What a loss takes besides logits and classes; empty arrays and a smoothing of 0 mean plain classes."""

    kind: int
    """A number of `LOSSES`."""
    targets: NDArray[Any]
    """(N, C), of the parameters' type, read-only; empty for softmax, which has classes."""
    smoothing: float
    weights: NDArray[Any]
    """(N,), of the parameters' type: of each sample; empty for 1."""


def make_objective(
    dtype: DTypeLike,
    kind: int = 0,
    targets: NDArray[Any] | None = None,
    smoothing: float = 0.0,
    weights: NDArray[Any] | None = None,
) -> Objective:
    """Return what the kernel takes, always of the same types."""
    rows = np.zeros((0, 0), dtype) if targets is None else np.ascontiguousarray(targets, dtype).view()
    rows.flags.writeable = False
    weights = np.zeros(0, dtype) if weights is None else weights.astype(dtype)
    return Objective(kind, rows, float(smoothing), weights)


@njit
def _row(z: Any, classes: int, label: int, scale: Any) -> Any:
    """One row of logits becomes the gradient of ``scale * loss``; return the loss, and whether the label
    was the answer.
    """
    lanes = width(z)
    row = (classes + lanes - 1) // lanes * lanes
    for c in range(classes, row):
        z[c] = -np.inf
    top = load(z, 0)
    for c in range(lanes, row, lanes):
        top = maximum(load(z, c), top)
    peak = largest(top)
    peaks = splat(peak)
    gap = peak - z[label]
    # The first largest logit is the answer. A branch on it would often be guessed wrong, so look at all.
    answer = classes
    for c in range(0, row, lanes):
        answer = min(answer, c + first_equal(load(z, c), peaks))
    sums = subtract(peaks, peaks)
    for c in range(0, row, lanes):
        e = exp(subtract(load(z, c), peaks))
        store(z, c, e)
        sums = add(sums, e)
    s = total(sums)
    factor = splat(scale / s)
    for c in range(0, row, lanes):
        store(z, c, multiply(load(z, c), factor))
    z[label] -= scale
    # A NaN among the logits makes s NaN, and the sample wrong.
    return gap + first_lane(log(splat(s))), answer == label and s > 0


@njit
def softmax_cross_entropy(
    z: Any,
    row: int,
    classes: int,
    labels: Any,
    order: Any,
    first: int,
    last: int,
    scale: Any,
    losses: Any,
    right: Any,
) -> None:
    """Loss and gradient of the samples ``first`` to ``last``.

    Parameters
    ----------
    z : pointer to (B, row), IN OUT: logits, padded to whole vectors; then d(scale * sum of losses)/dz,
        padding zero
    labels : pointer to int64, the classes of all data; sample b has ``labels[order[b]]``
    scale : of z's type: 1 / batch size for the gradient of the mean
    losses : pointer to (B,), of z's type, OUT: nats
    right : pointer to (B,), uint8, OUT: 1 where the first largest logit is the label's

    Notes
    -----
    Cost: four passes over a row in the first level cache, one exp a class (about 12 instructions a vector),
    one log a row.
    """
    for b in range(first, last):
        losses[b], right[b] = _row(offset(z, b * row), classes, labels[order[b]], scale)


@njit
def weighted_cross_entropy(
    z: Any,
    row: int,
    classes: int,
    labels: Any,
    order: Any,
    first: int,
    last: int,
    scale: Any,
    losses: Any,
    right: Any,
    smoothing: Any,
    weights: Any,
) -> None:
    """`softmax_cross_entropy` with smoothed labels, and a weight for each sample.

    ``weights`` is a (N,) array, or empty; loss and gradient of a sample are multiplied by its weight. The
    label has the probability 1 - smoothing, and smoothing is spread over all classes. With z_y the label's
    logit, that adds ``smoothing * (z_y - mean z)`` to the loss, and smoothing times (onehot - 1 / classes) to
    its gradient.
    """
    for b in range(first, last):
        sample = order[b]
        label, logits = labels[sample], offset(z, b * row)
        factor = weights[sample] if weights.size > 0 else scale / scale
        ahead = scale - scale
        if smoothing > 0:
            for c in range(classes):
                ahead += logits[label] - logits[c]
            ahead *= smoothing / classes
        weighted = scale * factor
        loss, right[b] = _row(logits, classes, label, weighted)
        losses[b] = factor * (loss + ahead)
        if smoothing > 0:
            for c in range(classes):
                logits[c] -= weighted * smoothing / classes
            logits[label] += weighted * smoothing


@njit
def _logistic_row(z: Any, targets: Any, classes: int, scale: Any, smoothing: Any) -> Any:
    """Logits become the gradient of ``scale * loss``; return the loss, and whether all labels are right."""
    lanes, right, half = width(z), True, smoothing / 2
    loss = scale - scale
    for c in range(classes):
        # What is wrong of the logit itself: exactly nothing where it is on the target's side.
        loss += z[c] * ((z[c] > 0) - (targets[c] * (1 - smoothing) + half))
        right = right and (z[c] > 0) == (targets[c] > 0.5)
    row = (classes + lanes - 1) // lanes * lanes
    for c in range(classes, row):
        z[c] = FARTHEST
    sums = subtract(load(z, 0), load(z, 0))
    for c in range(0, row, lanes):
        logits = load(z, c)
        sums = add(sums, log1p_exp(logits))
        store(z, c, logistic(logits))
    for c in range(classes):
        z[c] = scale * (z[c] - (targets[c] * (1 - smoothing) + half))
    return loss + total(sums), right and loss == loss


@njit
def _squared_row(z: Any, targets: Any, classes: int, scale: Any) -> Any:
    """Outputs become the gradient of ``scale * loss``; return the loss."""
    loss = scale - scale
    for c in range(classes):
        apart = z[c] - targets[c]
        loss += apart * apart
        z[c] = scale * apart
    return loss / 2


@njit
def losses_of_targets(
    z: Any,
    row: int,
    classes: int,
    order: Any,
    first: int,
    last: int,
    scale: Any,
    losses: Any,
    right: Any,
    smoothing: Any,
    objective: Any,
) -> None:
    """Logistic loss or squared error, and gradient, of the samples ``first`` to ``last``.

    Parameters as those of `softmax_cross_entropy`. ``smoothing`` has z's type: a logistic target y is
    (1 - smoothing) y + smoothing / 2. ``right`` is 1 where all of a sample's labels are right, 0 for values.

    Notes
    -----
    Cost: logistic loss two exp and a logarithm's series a vector, about 50 instructions; squared error four.
    """
    targets, weights = pointer(objective.targets), objective.weights
    for b in range(first, last):
        sample = order[b]
        factor = weights[sample] if weights.size > 0 else scale / scale
        logits, wanted = offset(z, b * row), offset(targets, sample * classes)
        if objective.kind == LOGISTIC:
            loss, right[b] = _logistic_row(logits, wanted, classes, scale * factor, smoothing)
        else:
            loss, right[b] = _squared_row(logits, wanted, classes, scale * factor), False
        losses[b] = factor * loss
