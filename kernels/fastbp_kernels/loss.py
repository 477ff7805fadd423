"""Losses of samples, their gradients and correctness, in one pass.

Softmax cross-entropy by log-sum-exp, for classes::

    loss = -log softmax(z)[y] = max(z) + log(sum(exp(z - max(z)))) - z[y]
    d loss / dz = softmax(z) - onehot(y)

Logistic loss, for labels that do not exclude each other, y from 0 to 1::

    loss = sum(max(z, 0) - z y + log(1 + exp(-|z|)))
    d loss / dz = 1 / (1 + exp(-z)) - y

Squared error, for regression::

    loss = sum((z - y)**2) / 2
    d loss / dz = z - y

exp never gets a positive argument, so nothing overflows: logits of 1e30 have a finite
loss and gradient.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .annotations import FloatArray, FloatPointer, Range, Real
from .batch import Batch
from .elementary import exp, log, log1p_exp, logistic
from .jit import njit
from .layout import Matrix, parts_of
from .simd import (
    add,
    first_equal,
    first_lane,
    largest,
    load,
    maximum,
    multiply,
    offset,
    real,
    splat,
    store,
    subtract,
    total,
    width,
)

__all__ = [
    "LOSSES",
    "Answers",
    "Objective",
    "losses_of_targets",
    "make_objective",
    "softmax_cross_entropy",
    "weighted_cross_entropy",
    "write_losses",
]

LOSSES = {"softmax": 0, "logistic": 1, "identity": 2}
"""Integer code of each output unit with its loss, in compiled code."""
SOFTMAX, LOGISTIC = LOSSES["softmax"], LOSSES["logistic"]
FARTHEST = -1e30
"""Logit whose logistic function and loss are 0; its square is never computed."""


class Objective(NamedTuple):
    """The loss, and its inputs besides logits and labels."""

    kind: int
    """Loss, a value of `LOSSES`."""
    is_plain: bool
    """Whether labels have neither smoothing nor weights."""
    targets: FloatArray
    """(N, C), read-only; empty for softmax, which uses labels."""
    smoothing: float
    has_weights: bool
    weights: FloatArray
    """(N,): weight of each sample's loss; empty if all are 1."""


class Answers(NamedTuple):
    """Results for each of n samples."""

    losses: FloatArray
    """(n,), OUT: loss before the update of the sample's batch."""
    correct: NDArray[np.uint8]
    """(n,), OUT: 1 if the sample was classified correctly, else 0."""
    writes_losses: bool
    """Whether there are labels or targets; if not, only logits are written."""
    writes_logits: bool
    logits: FloatArray
    """(n, C), OUT; empty unless logits are requested."""


def make_objective(
    dtype: DTypeLike,
    kind: int = 0,
    targets: FloatArray | None = None,
    smoothing: float = 0.0,
    weights: FloatArray | None = None,
) -> Objective:
    """Return the kernel's arguments, always of the same types."""
    rows = np.zeros((0, 0), dtype) if targets is None else np.ascontiguousarray(targets, dtype).view()
    rows.flags.writeable = False
    factors = np.zeros(0, dtype) if weights is None else weights.astype(dtype)
    is_plain = targets is None and smoothing == 0 and weights is None
    return Objective(kind, is_plain, rows, float(smoothing), weights is not None, factors)


@njit
def _row(z: FloatPointer, classes: int, label: int, scale: Real) -> tuple[Real, bool]:
    """Replace one row of logits by the gradient of ``scale * loss``.

    Return the loss, and whether the prediction is correct.
    """
    lanes = width(z)
    row = parts_of(classes, lanes) * lanes
    for c in range(classes, row):
        z[c] = -np.inf
    top = load(z, 0)
    for c in range(lanes, row, lanes):
        top = maximum(load(z, c), top)
    peak = largest(top)
    peaks = splat(peak)
    gap = peak - z[label]
    # The first largest logit is the prediction. A branch would often be mispredicted,
    # so examine all.
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
    # A NaN among the logits makes s NaN, and the prediction wrong.
    return gap + first_lane(log(splat(s))), answer == label and s > 0


@njit
def softmax_cross_entropy(z: Matrix, classes: int, batch: Batch, rows: Range, answers: Answers) -> None:
    """Write loss and gradient of some samples of a batch.

    Parameters
    ----------
    z : Matrix, (B, row)
        IN: logits, padded to whole vectors. OUT: gradient of the batch's mean loss,
        with padding 0.
    classes : int
        Number of classes, C.
    batch : Batch
        Sample b has the label ``batch.labels[b]``; its results go to index
        ``batch.first + b``.
    rows : (int, int)
        First sample, and the one after the last.
    answers : Answers
        OUT: loss in nats; correct if the first largest logit is the label's.

    Notes
    -----
    Cost: four passes over a row in the first-level cache, one exp a class (about 12
    instructions a vector), one log a row.
    """
    scale = real(z.at, 1.0 / batch.samples)
    losses = offset(answers.losses, batch.first)
    correct = offset(answers.correct, batch.first)
    for b in range(rows[0], rows[1]):
        losses[b], correct[b] = _row(offset(z.at, b * z.row), classes, batch.labels[b], scale)


@njit
def weighted_cross_entropy(
    z: Matrix,
    classes: int,
    batch: Batch,
    rows: Range,
    answers: Answers,
    objective: Objective,
) -> None:
    """Compute `softmax_cross_entropy` with label smoothing and sample weights.

    The weight of a sample multiplies its loss and gradient. The label has the
    probability 1 - smoothing, and smoothing is spread over all classes. With z_y the
    label's logit, that adds ``smoothing * (z_y - mean z)`` to the loss, and
    ``smoothing * (onehot - 1 / classes)`` to its gradient.
    """
    scale, smoothing = real(z.at, 1.0 / batch.samples), real(z.at, objective.smoothing)
    losses = offset(answers.losses, batch.first)
    correct = offset(answers.correct, batch.first)
    for b in range(rows[0], rows[1]):
        sample = batch.order[b]
        label, logits = batch.labels[b], offset(z.at, b * z.row)
        factor = objective.weights[sample] if objective.has_weights else scale / scale
        ahead = scale - scale
        if smoothing > 0:
            for c in range(classes):
                ahead += logits[label] - logits[c]
            ahead *= smoothing / classes
        weighted = scale * factor
        loss, correct[b] = _row(logits, classes, label, weighted)
        losses[b] = factor * (loss + ahead)
        if smoothing > 0:
            for c in range(classes):
                logits[c] -= weighted * smoothing / classes
            logits[label] += weighted * smoothing


@njit
def _logistic_row(
    z: FloatPointer, targets: FloatPointer, classes: int, scale: Real, smoothing: Real
) -> tuple[Real, bool]:
    """Replace logits by the gradient of ``scale * loss``.

    Return the loss, and whether all labels are predicted correctly.
    """
    lanes, correct, half = width(z), True, smoothing / 2
    loss = scale - scale
    for c in range(classes):
        # The linear part of the loss: exactly 0 if the logit is on the target's side.
        loss += z[c] * ((z[c] > 0) - (targets[c] * (1 - smoothing) + half))
        correct = correct and (z[c] > 0) == (targets[c] > 0.5)
    row = parts_of(classes, lanes) * lanes
    for c in range(classes, row):
        z[c] = FARTHEST
    sums = subtract(load(z, 0), load(z, 0))
    for c in range(0, row, lanes):
        logits = load(z, c)
        sums = add(sums, log1p_exp(logits))
        store(z, c, logistic(logits))
    for c in range(classes):
        z[c] = scale * (z[c] - (targets[c] * (1 - smoothing) + half))
    return loss + total(sums), correct and loss == loss


@njit
def _squared_row(z: FloatPointer, targets: FloatPointer, classes: int, scale: Real) -> Real:
    """Replace outputs by the gradient of ``scale * loss``; return the loss."""
    loss = scale - scale
    for c in range(classes):
        apart = z[c] - targets[c]
        loss += apart * apart
        z[c] = scale * apart
    return loss / 2


@njit
def losses_of_targets(
    z: Matrix, classes: int, batch: Batch, rows: Range, answers: Answers, objective: Objective
) -> None:
    """Write logistic loss or squared error, and gradient, of some samples of a batch.

    The parameters are those of `softmax_cross_entropy`. Label smoothing turns a
    logistic target y into (1 - smoothing) y + smoothing / 2. ``correct`` is 1 if all
    labels of a sample are predicted correctly; it is 0 for regression.

    Notes
    -----
    Cost: logistic loss takes two exp and the series of a logarithm a vector, about 50
    instructions; squared error takes four.
    """
    scale, smoothing = real(z.at, 1.0 / batch.samples), real(z.at, objective.smoothing)
    losses = offset(answers.losses, batch.first)
    correct = offset(answers.correct, batch.first)
    for b in range(rows[0], rows[1]):
        sample = batch.order[b]
        factor = objective.weights[sample] if objective.has_weights else scale / scale
        logits, wanted = offset(z.at, b * z.row), offset(objective.targets, sample * classes)
        if objective.kind == LOGISTIC:
            loss, correct[b] = _logistic_row(logits, wanted, classes, scale * factor, smoothing)
        else:
            loss, correct[b] = _squared_row(logits, wanted, classes, scale * factor), False
        losses[b] = factor * loss


@njit
def write_losses(
    z: Matrix,
    classes: int,
    batch: Batch,
    rows: Range,
    answers: Answers,
    objective: Objective,
) -> None:
    """Write losses and gradients of some samples."""
    if objective.kind != SOFTMAX:
        losses_of_targets(z, classes, batch, rows, answers, objective)
    elif objective.is_plain:
        softmax_cross_entropy(z, classes, batch, rows, answers)
    else:
        weighted_cross_entropy(z, classes, batch, rows, answers, objective)
