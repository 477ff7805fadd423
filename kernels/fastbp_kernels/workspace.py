"""The arrays that a step needs besides the parameters, allocated once for a run."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .batch import TAIL
from .dense import NARROW
from .simd import BITS
from .team import BARRIER_SIZE
from .tiles import AHEAD, ROWS

__all__ = ["Workspace", "make_workspace"]

SLOTS = 2
"""Batches in flight: one thread may gather the next while another still updates from this one."""


class Workspace(NamedTuple):
    """Buffers of one run. ``B4`` and ``D4`` are the batch size and the number of inputs, rounded up to
    fours.
    """

    outputs: NDArray[Any]
    """Each layer's outputs (B4, row), one after the other."""
    gradients: NDArray[Any]
    """Gradients of the same."""
    output_at: NDArray[np.int64]
    """(L,): where each layer's outputs begin."""
    inputs: NDArray[Any]
    """The batch as it is (SLOTS, B4, input_row); empty for lists."""
    input_row: int
    transposed: NDArray[Any]
    """A transposed copy of the weights of the largest layer with few outputs (outputs, row)."""
    forward_values: NDArray[Any]
    """(SLOTS, B4 / 4, forward_capacity, 4); empty for dense inputs, as all lists."""
    forward_indices: NDArray[np.int32]
    """Where the rows of W begin that the values are multiplied with."""
    forward_counts: NDArray[np.int64]
    forward_capacity: int
    update_values: NDArray[Any]
    """(SLOTS, D4 / 4, update_capacity, 4)."""
    update_indices: NDArray[np.int32]
    update_counts: NDArray[np.int64]
    update_capacity: int
    batch: int
    """B4."""
    addresses: NDArray[np.int64]
    """(threads, B4): where each sample's row is."""
    zeros: NDArray[Any]
    """A row of zeros, for the samples that fill up the last four; of the images' type."""
    tails: NDArray[Any]
    """(threads, 4, TAIL): the last inputs of 4 samples, filled up with zeros."""
    masks: NDArray[np.int64]
    """(threads, B4 / 4, D / TAIL): which fours of inputs are not zero in 4 samples."""
    barrier: NDArray[np.int64]


def _aligned(elements: int, dtype: DTypeLike) -> NDArray[Any]:
    """Zeros that begin at a cache line."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros(elements * size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + elements * size].view(dtype)


def make_workspace(
    layout: NDArray[np.int64],
    dtype: DTypeLike,
    image_dtype: DTypeLike,
    batch: int,
    threads: int,
    listed: bool,
) -> Workspace:
    """Allocate for batches of up to ``batch`` samples.

    Parameters
    ----------
    layout : (L, 5), int64: fan-in, fan-out, row, weight offset, bias offset of each layer
    dtype : float32 or float64, of the parameters
    image_dtype : uint8, float32 or float64
    listed : lists of what is not zero instead of whole rows
    """
    fours = -(-batch // ROWS)
    b4, inputs = fours * ROWS, int(layout[0, 0])
    input_fours = -(-inputs // ROWS)
    input_row = -(-inputs // 16) * 16
    rows = layout[:, 2]
    ends = np.cumsum(rows * b4)
    capacity = input_fours * ROWS + AHEAD
    forward = SLOTS * fours * capacity if listed else 0
    # Lists an odd number of cache lines apart: at a power of two they would share few cache sets.
    update_capacity = b4 + ROWS * (fours % 2 == 0)
    update = SLOTS * input_fours * update_capacity if listed else 0
    most = NARROW * BITS // (8 * np.dtype(dtype).itemsize)
    narrow = [int(b[1] * a[2]) for a, b in pairwise(layout) if b[1] <= most]
    return Workspace(
        outputs=_aligned(int(ends[-1]), dtype),
        gradients=_aligned(int(ends[-1]), dtype),
        output_at=np.ascontiguousarray(ends - rows * b4),
        inputs=_aligned(0 if listed else SLOTS * b4 * input_row, dtype),
        input_row=input_row,
        transposed=_aligned(max([0, *narrow]), dtype),
        forward_values=_aligned(forward * ROWS, dtype),
        forward_indices=_aligned(forward, np.int32),
        forward_counts=np.zeros(SLOTS * fours, np.int64),
        forward_capacity=capacity,
        update_values=_aligned(update * ROWS, dtype),
        update_indices=_aligned(update, np.int32),
        update_counts=np.zeros(SLOTS * input_fours, np.int64),
        update_capacity=update_capacity,
        batch=b4,
        addresses=np.zeros(threads * b4, np.int64),
        zeros=np.zeros(input_fours * ROWS, image_dtype),
        tails=np.zeros(threads * ROWS * TAIL, image_dtype),
        masks=np.zeros(threads * fours * -(-inputs // TAIL), np.int64),
        barrier=_aligned(BARRIER_SIZE, np.int64),
    )
