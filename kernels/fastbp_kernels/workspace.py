"""Arrays that a step needs besides the parameters, allocated once for each run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .activations import RELU
from .annotations import FloatArray
from .barrier import BARRIER_SIZE
from .batch import TAIL, Look
from .dense import MOST_LISTED, PANEL_SAMPLES, Lists
from .hidden import LISTED_VECTORS, HiddenLists
from .layout import FAN_IN, FAN_OUT, ROW, parts
from .optimizers import COEFFICIENTS
from .target import BITS
from .tiles import AHEAD, ROWS, VECTORS

__all__ = ["STOPPED", "BatchBuffers", "Worker", "Workspace", "make_batch_buffers", "make_workspace"]

STOPPED = 16
"""Element of a barrier in a cache line that nobody writes while losses are finite."""


class Workspace(NamedTuple):
    """Buffers shared by a run's threads. ``B4``: batch size, rounded up to fours."""

    outputs: FloatArray
    """Outputs of each layer (B4, row), one layer after the other."""
    gradients: FloatArray
    """Gradients, in the layout of ``outputs``."""
    output_at: NDArray[np.int64]
    """(L,): where each layer's outputs begin."""
    activation: int
    """Activation function of hidden layers, a value of `ACTIVATIONS`."""
    keeps_slopes: bool
    """Whether to store the activation's derivatives; plain ReLU needs none."""
    slopes: FloatArray
    """Derivatives of the activation, laid out as ``outputs``; empty if not kept."""
    barrier: NDArray[np.int64]
    """Counter of the barriers; at `STOPPED`, 1 once the loss is not finite."""


class BatchBuffers(NamedTuple):
    """One thread's mini-batch, dense or as lists. ``D4``: inputs, rounded up to 4."""

    is_listed: bool
    inputs: FloatArray
    """(B4, input_row): the dense batch; empty for lists."""
    input_row: int
    forward: Lists
    """(B4 / 4, capacity, 4): lists for each 4 samples, of rows of W; or empty."""
    update: Lists
    """(D4 / 4, capacity, 4): a list for each 4 inputs, of samples; empty if dense."""
    look: Look
    hidden: HiddenLists
    panel: FloatArray
    """(largest row, VECTORS * lanes): some rows of W, transposed; empty if not used."""
    coefficients: FloatArray
    """Coefficients of this thread's update, in the type of the parameters."""
    room: int
    """Elements of the scratch."""
    scratch: FloatArray
    """Gradient of a few rows, zero before and after an update; empty for plain SGD."""


class Worker(NamedTuple):
    """One thread of a team, with its buffers."""

    space: Workspace
    """Workspace that the team shares."""
    own: BatchBuffers
    thread: int
    threads: int


def _aligned(elements: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return zeros that start at a cache line."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros(elements * size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + elements * size].view(dtype)


def make_workspace(
    layout: NDArray[np.int64], dtype: DTypeLike, batch: int, activation: int = RELU, *, slopes: bool = False
) -> Workspace:
    """Allocate the shared buffers of a run, for batches of up to ``batch`` samples.

    Parameters
    ----------
    layout : (L, 5), int64
        Fan-in, fan-out, row, weight offset and bias offset of each layer.
    dtype : float32 or float64
        Type of the parameters.
    batch : int
        Largest batch size.
    activation : int
        Activation function of hidden layers, a value of `ACTIVATIONS`.
    slopes : bool
        Store the derivatives of ReLU too, for dropout or batch normalisation.
    """
    b4, rows = parts(batch, ROWS) * ROWS, layout[:, ROW]
    ends = np.cumsum(rows * b4)
    keeps_slopes = slopes or activation != RELU
    return Workspace(
        outputs=_aligned(int(ends[-1]), dtype),
        gradients=_aligned(int(ends[-1]), dtype),
        output_at=np.ascontiguousarray(ends - rows * b4),
        activation=activation,
        keeps_slopes=keeps_slopes,
        slopes=_aligned(int(ends[-1]) if keeps_slopes else 0, dtype),
        barrier=_aligned(BARRIER_SIZE, np.int64),
    )


def make_batch_buffers(
    layout: NDArray[np.int64],
    dtype: DTypeLike,
    image_dtype: DTypeLike,
    batch: int,
    listed: bool,
    activation: int = RELU,
    scratch: int = 0,
) -> BatchBuffers:
    """Allocate one thread's buffers for batches of up to ``batch`` samples.

    Parameters
    ----------
    layout : (L, 5), int64
        Fan-in, fan-out, row, weight offset and bias offset of each layer.
    dtype : float32 or float64
        Type of the parameters.
    image_dtype : uint8, float32 or float64
        Type of the inputs.
    batch : int
        Largest batch size.
    listed : bool
        Use lists of nonzero inputs instead of dense rows.
    activation : int
        Activation function of hidden layers; the outputs of ReLU are listed, too.
    scratch : int
        Elements of the scratch, see `optimizers.scratch_size`; 0 for plain SGD.
    """
    inputs, panel_rows = int(layout[0, FAN_IN]), int(layout[1:, ROW].max(initial=0))
    panel_row = VECTORS * BITS // (8 * np.dtype(dtype).itemsize)
    fours, input_fours = parts(batch, ROWS), parts(inputs, ROWS)
    b4, input_row = fours * ROWS, parts(inputs, 16) * 16
    return BatchBuffers(
        is_listed=listed,
        inputs=_aligned(0 if listed else b4 * input_row, dtype),
        input_row=input_row,
        forward=_make_lists(fours, input_fours * ROWS + AHEAD, dtype, listed),
        update=_make_lists(input_fours, _update_capacity(fours), dtype, listed),
        look=_make_look(inputs, image_dtype, fours, 1),
        hidden=_make_hidden_lists(layout, dtype, fours, activation == RELU),
        panel=_aligned(panel_rows * panel_row if batch >= PANEL_SAMPLES else 0, dtype),
        coefficients=_aligned(COEFFICIENTS, dtype),
        room=scratch,
        scratch=_aligned(scratch, dtype),
    )


def _make_hidden_lists(
    layout: NDArray[np.int64], dtype: DTypeLike, fours: int, has_zeros: bool
) -> HiddenLists:
    """Allocate the lists of hidden layers, if any has outputs enough."""
    lanes = BITS // (8 * np.dtype(dtype).itemsize)
    hidden = layout[1:, [FAN_IN, FAN_OUT]]
    wide = hidden[(hidden > (LISTED_VECTORS - 1) * lanes).any(axis=1)]
    can_list = (layout[1:, FAN_IN] * layout[1:, ROW]).max(initial=0) < MOST_LISTED
    inputs, is_on = int(wide.max(initial=0)), has_zeros and len(wide) > 0 and bool(can_list)
    unit_fours = parts(inputs, ROWS)
    return HiddenLists(
        is_on=is_on,
        forward=_make_lists(fours, unit_fours * ROWS + AHEAD, dtype, is_on),
        update=_make_lists(unit_fours, _update_capacity(fours), dtype, is_on),
        look=_make_look(inputs, dtype, fours, len(layout)),
        masks=fours * parts(inputs, TAIL),
        listed=np.zeros(len(layout), np.int64),
        waits=np.zeros(2 * len(layout), np.int64),
    )


def _make_look(inputs: int, dtype: DTypeLike, fours: int, layers: int) -> Look:
    """Allocate the addresses of a batch's rows, and masks for some layers."""
    return Look(
        addresses=np.zeros(fours * ROWS, np.int64),
        zeros=np.zeros(parts(inputs, ROWS) * ROWS, dtype),
        tail=np.zeros(ROWS * TAIL, dtype),
        masks=np.zeros(layers * fours * parts(inputs, TAIL), np.int64),
    )


def _update_capacity(fours: int) -> int:
    """Return the distance of update lists: an odd number of cache lines.

    At a power of two they would compete for few cache sets.
    """
    return fours * ROWS + ROWS * (1 - fours % 2)


def _make_lists(lists: int, capacity: int, dtype: DTypeLike, listed: bool) -> Lists:
    """Allocate lists, or only their counts if lists are not used."""
    size = lists * capacity if listed else 0
    counts = np.zeros(lists, np.int64)
    return Lists(_aligned(size * ROWS, dtype), _aligned(size, np.int32), counts, capacity)
