"""Softmax cross-entropy by log-sum-exp: the loss, its gradient, and whether the class was right, in one pass.

loss = -log softmax(z)[y] = max(z) + log(sum(exp(z - max(z)))) - z[y];   d loss / dz = softmax(z) - onehot(y)

exp never sees a positive number, so nothing overflows: logits of 1e30 have a finite loss and gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementary import exp, log
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
    splat,
    store,
    subtract,
    total,
    width,
)

__all__ = ["softmax_cross_entropy"]


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
