"""The arrays that a step needs besides the parameters, allocated once for a run."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .activations import RELU
from .annotations import FloatArray
from .batch import TAIL, Look
from .dense import NARROW, Lists
from .layout import FAN_OUT, ROW, parts
from .optimizers import COEFFICIENTS
from .simd import BITS
from .team import BARRIER_SIZE
from .tiles import AHEAD, ROWS

__all__ = ["BatchBuffers", "Worker", "Workspace", "make_batch_buffers", "make_workspace"]


class Workspace(NamedTuple):
    """Buffers that the threads of a run share. ``B4`` is the batch size, rounded up to fours."""

    outputs: FloatArray
    """Each layer's outputs (B4, row), one after the other."""
    gradients: FloatArray
    """Gradients of the same."""
    output_at: NDArray[np.int64]
    """(L,): where each layer's outputs begin."""
    activation: int
    """Of hidden layers, a number of `fastbp_kernels.activations.ACTIVATIONS`."""
    keeps_slopes: bool
    """Plain ReLU needs none."""
    slopes: FloatArray
    """Derivatives of the activations, as ``outputs``; empty if none are kept."""
    transposed: FloatArray
    """A transposed copy of the weights of the largest layer with few outputs (outputs, row)."""
    barrier: NDArray[np.int64]


class BatchBuffers(NamedTuple):
    """One thread's mini-batch, whole or as lists. ``D4`` is the number of inputs, rounded up to fours."""

    is_listed: bool
    inputs: FloatArray
    """The batch as it is (B4, input_row); empty for lists."""
    input_row: int
    forward: Lists
    """(B4 / 4, capacity, 4): a list for each 4 samples, of places in W; empty for whole rows."""
    update: Lists
    """(D4 / 4, capacity, 4): a list for each 4 inputs, of samples; empty for whole rows."""
    look: Look
    coefficients: FloatArray
    """Of this thread's update, in the type of the parameters."""
    room: int
    """Elements of the scratch."""
    scratch: FloatArray
    """Gradient of some rows, zero before and after an update; empty for plain SGD."""


class Worker(NamedTuple):
    """One thread of those that work on a batch together."""

    space: Workspace
    """Shared."""
    own: BatchBuffers
    thread: int
    threads: int


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
    b4, rows = parts(batch, ROWS) * ROWS, layout[:, ROW]
    ends = np.cumsum(rows * b4)
    most = NARROW * BITS // (8 * np.dtype(dtype).itemsize)
    narrow = [int(b[FAN_OUT] * a[ROW]) for a, b in pairwise(layout) if b[FAN_OUT] <= most]
    keeps_slopes = slopes or activation != RELU
    return Workspace(
        outputs=_aligned(int(ends[-1]), dtype),
        gradients=_aligned(int(ends[-1]), dtype),
        output_at=np.ascontiguousarray(ends - rows * b4),
        activation=activation,
        keeps_slopes=keeps_slopes,
        slopes=_aligned(int(ends[-1]) if keeps_slopes else 0, dtype),
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
    fours, input_fours = parts(batch, ROWS), parts(inputs, ROWS)
    b4, input_row = fours * ROWS, parts(inputs, 16) * 16
    # Lists an odd number of cache lines apart: at a power of two they would share few cache sets.
    update_capacity = b4 + ROWS * (1 - fours % 2)
    return BatchBuffers(
        is_listed=listed,
        inputs=_aligned(0 if listed else b4 * input_row, dtype),
        input_row=input_row,
        forward=_make_lists(fours, input_fours * ROWS + AHEAD, dtype, listed),
        update=_make_lists(input_fours, update_capacity, dtype, listed),
        look=Look(
            addresses=np.zeros(b4, np.int64),
            zeros=np.zeros(input_fours * ROWS, image_dtype),
            tail=np.zeros(ROWS * TAIL, image_dtype),
            masks=np.zeros(fours * parts(inputs, TAIL), np.int64),
        ),
        coefficients=_aligned(COEFFICIENTS, dtype),
        room=scratch,
        scratch=_aligned(scratch, dtype),
    )


def _make_lists(lists: int, capacity: int, dtype: DTypeLike, listed: bool) -> Lists:
    """Allocate lists; only their counts if there are to be none."""
    size = lists * capacity if listed else 0
    counts = np.zeros(lists, np.int64)
    return Lists(_aligned(size * ROWS, dtype), _aligned(size, np.int32), counts, capacity)
