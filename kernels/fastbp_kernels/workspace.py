"""The arrays that a step needs besides the parameters, allocated once for a run."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .activations import RELU
from .batch import TAIL
from .dense import NARROW
from .optimizers import COEFFICIENTS
from .simd import BITS
from .team import BARRIER_SIZE
from .tiles import AHEAD, ROWS

__all__ = ["BatchBuffers", "Workspace", "make_batch_buffers", "make_workspace"]


class Workspace(NamedTuple):
    """Buffers that the threads of a run share. ``B4`` is the batch size, rounded up to fours."""

    outputs: NDArray[Any]
    """Each layer's outputs (B4, row), one after the other."""
    gradients: NDArray[Any]
    """Gradients of the same."""
    output_at: NDArray[np.int64]
    """(L,): where each layer's outputs begin."""
    activation: int
    """Of hidden layers, a number of `fastbp_kernels.activations.ACTIVATIONS`."""
    slopes: NDArray[Any]
    """Derivatives of the activations, as ``outputs``; empty for plain ReLU, which needs none."""
    transposed: NDArray[Any]
    """A transposed copy of the weights of the largest layer with few outputs (outputs, row)."""
    barrier: NDArray[np.int64]


class BatchBuffers(NamedTuple):
    """One thread's mini-batch, whole or as lists. ``D4`` is the number of inputs, rounded up to fours."""

    inputs: NDArray[Any]
    """The batch as it is (B4, input_row); empty for lists."""
    input_row: int
    forward_values: NDArray[Any]
    """(B4 / 4, forward_capacity, 4); empty for whole rows, as all lists."""
    forward_rows: NDArray[np.int32]
    """Where the rows of W begin that the values are multiplied with."""
    forward_counts: NDArray[np.int64]
    forward_capacity: int
    update_values: NDArray[Any]
    """(D4 / 4, update_capacity, 4)."""
    update_samples: NDArray[np.int32]
    """The samples whose dZ the values are multiplied with."""
    update_counts: NDArray[np.int64]
    update_capacity: int
    addresses: NDArray[np.int64]
    """(B4,): where each sample's row is."""
    zeros: NDArray[Any]
    """A row of zeros, for the samples that fill up the last four; of the images' type."""
    tail: NDArray[Any]
    """(4, TAIL): the last inputs of 4 samples, filled up with zeros."""
    masks: NDArray[np.int64]
    """(B4 / 4, D / TAIL): which fours of inputs are not zero in 4 samples."""
    coefficients: NDArray[Any]
    """Of this thread's update, in the type of the parameters."""
    scratch: NDArray[Any]
    """Gradient of some rows, zero before and after an update; empty for plain SGD."""


def _aligned(elements: int, dtype: DTypeLike) -> NDArray[Any]:
    """Zeros that begin at a cache line."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros(elements * size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + elements * size].view(dtype)


def make_workspace(
    layout: NDArray[np.int64], dtype: DTypeLike, batch: int, activation: int = RELU, *, slopes: bool = False
) -> Workspace:
    """Allocate what a run shares, for batches of up to ``batch`` samples.

    Parameters
    ----------
    layout : (L, 5), int64: fan-in, fan-out, row, weight offset, bias offset of each layer
    dtype : float32 or float64, of the parameters
    activation : of hidden layers, a number of `ACTIVATIONS`
    slopes : keep those of ReLU too, because outputs of hidden layers will be dropped, or sums normalised
    """
    b4, rows = -(-batch // ROWS) * ROWS, layout[:, 2]
    ends = np.cumsum(rows * b4)
    most = NARROW * BITS // (8 * np.dtype(dtype).itemsize)
    narrow = [int(b[1] * a[2]) for a, b in pairwise(layout) if b[1] <= most]
    return Workspace(
        outputs=_aligned(int(ends[-1]), dtype),
        gradients=_aligned(int(ends[-1]), dtype),
        output_at=np.ascontiguousarray(ends - rows * b4),
        activation=activation,
        slopes=_aligned(0 if activation == RELU and not slopes else int(ends[-1]), dtype),
        transposed=_aligned(max([0, *narrow]), dtype),
        barrier=_aligned(BARRIER_SIZE, np.int64),
    )


def make_batch_buffers(
    inputs: int, dtype: DTypeLike, image_dtype: DTypeLike, batch: int, listed: bool, scratch: int = 0
) -> BatchBuffers:
    """Allocate what one thread gathers batches of up to ``batch`` samples into.

    Parameters
    ----------
    inputs : of the first layer
    dtype : float32 or float64, of the parameters
    image_dtype : uint8, float32 or float64
    listed : lists of what is not zero instead of whole rows
    scratch : elements, `optimizers.scratch_size` of the layout; 0 for plain SGD
    """
    fours, input_fours = -(-batch // ROWS), -(-inputs // ROWS)
    b4, input_row = fours * ROWS, -(-inputs // 16) * 16
    capacity = input_fours * ROWS + AHEAD
    forward = fours * capacity if listed else 0
    # Lists an odd number of cache lines apart: at a power of two they would share few cache sets.
    update_capacity = b4 + ROWS * (1 - fours % 2)
    update = input_fours * update_capacity if listed else 0
    return BatchBuffers(
        inputs=_aligned(0 if listed else b4 * input_row, dtype),
        input_row=input_row,
        forward_values=_aligned(forward * ROWS, dtype),
        forward_rows=_aligned(forward, np.int32),
        forward_counts=np.zeros(fours, np.int64),
        forward_capacity=capacity,
        update_values=_aligned(update * ROWS, dtype),
        update_samples=_aligned(update, np.int32),
        update_counts=np.zeros(input_fours, np.int64),
        update_capacity=update_capacity,
        addresses=np.zeros(b4, np.int64),
        zeros=np.zeros(input_fours * ROWS, image_dtype),
        tail=np.zeros(ROWS * TAIL, image_dtype),
        masks=np.zeros(fours * -(-inputs // TAIL), np.int64),
        coefficients=_aligned(COEFFICIENTS, dtype),
        scratch=_aligned(scratch, dtype),
    )
