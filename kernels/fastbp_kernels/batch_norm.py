"""Batch normalisation of hidden layers, forward and backward, by columns of a thread.

Ioffe & Szegedy, "Batch normalization", ICML 2015, without a scale. For each column z of
a layer's sums, with ``s = sqrt(variance + epsilon)``::

    z^ = (z - mean) / s;   the activation function takes z^ + bias
    d bias = sum d;        d z = (d - mean d - z^ mean(d z^)) / s

One thread has all samples of a column, forward and backward. So there is no barrier,
and the order of each sum does not depend on the number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .annotations import FloatArray, Range
from .batch import Batch
from .jit import njit
from .layout import ROW, Model, layer_of, parts
from .simd import offset, real, width
from .tiles import ROWS
from .workspace import Worker

__all__ = [
    "Normalizer",
    "make_normalizer",
    "normalize_layer",
    "return_through_normalization",
]


class Normalizer(NamedTuple):
    """Parameters and buffers of batch normalisation; empty arrays turn it off.

    U is the number of units: the rows of all hidden layers, one after the other.
    """

    is_on: bool
    unit_at: NDArray[np.int64]
    """(L,): start of each layer's row; the last entry, the output layer's, is U."""
    values: FloatArray
    """(B4, row) of each layer, in the layout of the outputs: z^."""
    inverse: FloatArray
    """(U,): 1 / s of the last batch."""
    shifts: FloatArray
    """(U,): d bias of the last batch."""
    along: FloatArray
    """(U,): scratch."""
    mean: FloatArray
    """(U,), IN OUT: running mean of the sums without bias."""
    variance: FloatArray
    """(U,), IN OUT: running variance, unbiased."""
    gains: NDArray[np.float64]
    """(steps,): weight of each batch in the running statistics."""
    epsilon: float


def make_normalizer(
    layout: NDArray[np.int64],
    dtype: DTypeLike,
    batch: int,
    mean: FloatArray | None = None,
    variance: FloatArray | None = None,
    gains: NDArray[np.float64] | None = None,
    epsilon: float = 0.0,
) -> Normalizer:
    """Allocate buffers for up to ``batch`` samples; without statistics, empty ones."""
    units = np.append(0, np.cumsum(layout[:-1, ROW]))
    nothing = np.zeros(0, dtype)
    is_on = mean is not None and variance is not None and gains is not None
    b4, row = parts(batch, ROWS) * ROWS, int(units[-1]) if is_on else 0
    return Normalizer(
        is_on=is_on,
        unit_at=units,
        values=np.zeros(row * b4, dtype),
        inverse=np.zeros(row, dtype),
        shifts=np.zeros(row, dtype),
        along=np.zeros(row, dtype),
        mean=nothing if mean is None else mean,
        variance=nothing if variance is None else variance,
        gains=np.zeros(0) if gains is None else gains,
        epsilon=epsilon,
    )


@njit
def normalize_layer(
    model: Model,
    number: int,
    batch: Batch,
    columns: Range,
    normalizer: Normalizer,
    step: int,
    worker: Worker,
) -> None:
    """Normalise a hidden layer's sums and add the bias, in some columns.

    Keeps the values that the backward pass needs.

    Notes
    -----
    Cost: reads the layer's part of a batch three times and writes it twice, in the
    first-level cache.
    """
    layer, space, lanes = layer_of(model.layout, number), worker.space, width(model.parameters)
    row, samples = layer.row, batch.samples
    output_at, unit_at = space.output_at[number], normalizer.unit_at[number]
    y, kept = offset(space.outputs, output_at), offset(normalizer.values, output_at)
    bias, inverse = offset(model.parameters, layer.bias_at), offset(normalizer.inverse, unit_at)
    mean, variance = offset(normalizer.shifts, unit_at), offset(normalizer.along, unit_at)
    running_mean = offset(normalizer.mean, unit_at)
    running_variance = offset(normalizer.variance, unit_at)
    first, last = columns[0] * lanes, min(columns[1] * lanes, layer.fan_out)
    share, gain = real(bias, 1.0 / samples), real(bias, normalizer.gains[step])
    epsilon = real(bias, normalizer.epsilon)
    for c in range(first, last):
        mean[c] = 0
        variance[c] = 0
    for i in range(samples):
        for c in range(first, last):
            mean[c] += y[i * row + c]
    for c in range(first, last):
        mean[c] *= share
    for i in range(samples):
        for c in range(first, last):
            apart = y[i * row + c] - mean[c]
            variance[c] += apart * apart
    for c in range(first, last):
        inverse[c] = real(bias, 1.0) / np.sqrt(variance[c] * share + epsilon)
    if samples > 1:
        unbiased = real(bias, 1.0 / (samples - 1))
        for c in range(first, last):
            running_mean[c] += gain * (mean[c] - bias[c] - running_mean[c])
            running_variance[c] += gain * (variance[c] * unbiased - running_variance[c])
    for i in range(samples):
        for c in range(first, last):
            value = (y[i * row + c] - mean[c]) * inverse[c]
            kept[i * row + c] = value
            y[i * row + c] = value + bias[c]


@njit
def return_through_normalization(
    model: Model, number: int, samples: int, fours: Range, normalizer: Normalizer, worker: Worker
) -> None:
    """Turn derivatives by normalised values into derivatives by sums.

    Works on the columns of ``fours`` in one hidden layer, and keeps the derivatives by
    the biases.

    Notes
    -----
    Cost: reads derivatives and values of the layer's part of a batch twice, and writes
    the derivatives once.
    """
    layer, space = layer_of(model.layout, number), worker.space
    row, output_at, unit_at = layer.row, space.output_at[number], normalizer.unit_at[number]
    d, kept = offset(space.gradients, output_at), offset(normalizer.values, output_at)
    shifts, along = offset(normalizer.shifts, unit_at), offset(normalizer.along, unit_at)
    inverse = offset(normalizer.inverse, unit_at)
    share = real(d, 1.0 / samples)
    first, last = fours[0] * ROWS, min(fours[1] * ROWS, layer.fan_out)
    for c in range(first, last):
        shifts[c] = 0
        along[c] = 0
    for i in range(samples):
        for c in range(first, last):
            shifts[c] += d[i * row + c]
            along[c] += d[i * row + c] * kept[i * row + c]
    for i in range(samples):
        for c in range(first, last):
            rest = d[i * row + c] - share * shifts[c] - kept[i * row + c] * (share * along[c])
            d[i * row + c] = rest * inverse[c]
