"""Batch normalisation of hidden layers, forward and backward, in columns that a thread owns.

Ioffe & Szegedy, "Batch normalization", ICML 2015, without a scale; for each column of a layer's sums z:

    z^ = (z - mean) / deviation,  deviation = sqrt(variance + epsilon);   the activation is of z^ + bias
    d bias = sum d;   d z = (d - mean d - z^ mean(d z^)) / deviation

A thread that owns a column has all samples of it, forward and backward, so there is no barrier, and sums have
one order whatever the number of threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .jit import njit
from .simd import offset, pointer, width
from .tiles import ROWS

__all__ = [
    "Normalizer",
    "make_normalizer",
    "normalize_layer",
    "return_through_normalization",
    "shifts_of",
]


class Normalizer(NamedTuple):
    """What normalisation takes; empty arrays mean that nothing is normalised. U: units, rows of hidden layers
    one after the other, as in the block.
    """

    unit_at: NDArray[np.int64]
    """(L,): where each layer's row begins, the last one's, which is not normalised, at the end."""
    values: NDArray[Any]
    """(B4, row) of each layer, as the outputs: z^."""
    inverse: NDArray[Any]
    """(U,): 1 / deviation of the last batch."""
    shifts: NDArray[Any]
    """(U,): d bias of the last batch."""
    along: NDArray[Any]
    """(U,): scratch."""
    mean: NDArray[Any]
    """(U,), IN OUT: running mean of the sums without bias."""
    variance: NDArray[Any]
    """(U,), IN OUT: running variance, unbiased."""
    gains: NDArray[np.float64]
    """(steps,): how far each batch draws the running statistics."""
    epsilon: float


def make_normalizer(
    layout: NDArray[np.int64],
    dtype: DTypeLike,
    batch: int,
    mean: NDArray[Any] | None = None,
    variance: NDArray[Any] | None = None,
    gains: NDArray[np.float64] | None = None,
    epsilon: float = 0.0,
) -> Normalizer:
    """Allocate for batches of up to ``batch`` samples; without statistics, for nothing."""
    units = np.append(0, np.cumsum(layout[:-1, 2]))
    nothing = np.zeros(0, dtype)
    is_on = mean is not None and variance is not None and gains is not None
    b4, row = -(-batch // ROWS) * ROWS, int(units[-1]) if is_on else 0
    return Normalizer(
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


class Shifts(NamedTuple):
    """Where derivatives by biases are kept: pointers, whose passing on costs no counting of references."""

    is_on: bool
    rows: Any
    unit_at: Any


@njit
def shifts_of(normalizer: Any) -> Any:
    """Return the Shifts of a thread."""
    return Shifts(normalizer.shifts.size > 0, pointer(normalizer.shifts), pointer(normalizer.unit_at))


@njit
def normalize_layer(
    layout: Any, params: Any, layer: int, samples: int, columns: Any, space: Any, normalizer: Any, step: int
) -> None:
    """Normalise a hidden layer's sums, with bias, in some columns; keep what backward needs.

    Notes
    -----
    Cost: reads the layer's part of a batch three times and writes it twice, in the nearest cache.
    """
    row, at, lanes = layout[layer, 2], normalizer.unit_at[layer], width(params)
    y = offset(pointer(space.outputs), space.output_at[layer])
    kept = offset(pointer(normalizer.values), space.output_at[layer])
    bias, inverse = offset(params, layout[layer, 4]), offset(pointer(normalizer.inverse), at)
    mean, variance = offset(pointer(normalizer.shifts), at), offset(pointer(normalizer.along), at)
    running_mean = offset(pointer(normalizer.mean), at)
    running_variance = offset(pointer(normalizer.variance), at)
    one = normalizer.mean.dtype.type
    first, last = columns[0] * lanes, min(columns[1] * lanes, layout[layer, 1])
    share, gain, epsilon = one(1.0 / samples), one(normalizer.gains[step]), one(normalizer.epsilon)
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
        inverse[c] = one(1.0) / np.sqrt(variance[c] * share + epsilon)
    if samples > 1:
        unbiased = one(1.0 / (samples - 1))
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
    layout: Any, layer: int, samples: int, fours: Any, space: Any, normalizer: Any
) -> None:
    """Turn derivatives by a hidden layer's normalised values into those by its sums, in the columns of fours.

    Those by its biases are kept.

    Notes
    -----
    Cost: reads derivatives and values of the layer's part of a batch twice, writes the former.
    """
    row, at = layout[layer, 2], normalizer.unit_at[layer]
    d = offset(pointer(space.gradients), space.output_at[layer])
    kept = offset(pointer(normalizer.values), space.output_at[layer])
    shifts, along = offset(pointer(normalizer.shifts), at), offset(pointer(normalizer.along), at)
    inverse = offset(pointer(normalizer.inverse), at)
    share = normalizer.mean.dtype.type(1.0 / samples)
    first, last = fours[0] * ROWS, min(fours[1] * ROWS, layout[layer, 1])
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
